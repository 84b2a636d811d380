"""Positions: one fix of one driver's phone."""

from typing import Annotated

import msgspec
from msgspec import Meta

EARLIEST_S = 1_420_070_400.0  # 2015-01-01T00:00:00Z: no phone that runs the app has been on before
LATEST_S = 4_102_444_800.0  # 2100-01-01T00:00:00Z: a larger number is milliseconds or nonsense

# A negative value is a phone's way to say unknown, so the lower bounds only keep out NaN and infinity.
Unknowable = Annotated[float, Meta(ge=-1e9, le=1e9)]


class Position(msgspec.Struct, frozen=True, omit_defaults=True):
    """One fix. ``timestamp`` Unix seconds, degrees, metres, metres per second, ``battery`` 0 to 1.

    Known by driver and timestamp to the millisecond; ``id`` is the phone's own name for it.
    """

    timestamp: Annotated[float, Meta(ge=EARLIEST_S, le=LATEST_S)]
    latitude: Annotated[float, Meta(ge=-90, le=90)]
    longitude: Annotated[float, Meta(ge=-180, le=180)]
    accuracy: Unknowable | None = None
    speed: Unknowable | None = None
    heading: Unknowable | None = None
    altitude: Annotated[float, Meta(ge=-20_000, le=100_000)] | None = None
    battery: Annotated[float, Meta(ge=0, le=1)] | None = None
    id: Annotated[str, Meta(min_length=1, max_length=64)] | None = None

    @property
    def at_ms(self) -> int:
        return round(self.timestamp * 1000)
