"""Small things that the store's tests are made of."""

from backend.domain.positions import Position

NOON = 1_767_268_800.0  # 2026-01-01T12:00:00Z


def fix(offset_s: float, **more: object) -> Position:
    """A fix so many seconds after noon, on a road that leads north-east."""
    fields = {"latitude": 45.8 + offset_s * 1e-5, "longitude": 16.0 + offset_s * 1e-5, "speed": 12.5} | more
    return Position(timestamp=NOON + offset_s, **fields)


def drive(first_s: int, count: int) -> list[Position]:
    return [fix(second) for second in range(first_s, first_s + count)]
