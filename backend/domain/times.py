"""Conversion of times and dates. Inside, times are UTC; time zones are for input and output only."""

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from backend.domain.errors import Refusal


def iso(ms: int) -> str:
    """Unix milliseconds as UTC ISO 8601 with milliseconds: ``2026-03-02T07:00:00.000Z``."""
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment_ms(text: str, where: str) -> int:
    """An ISO 8601 moment as Unix milliseconds, rounded; without an offset it is UTC. Refuses with ``ERR_INVALID``."""
    try:
        parsed = datetime.fromisoformat(text)
        if parsed.tzinfo is None:
            parsed = parsed.replace(tzinfo=UTC)
        return round(parsed.timestamp() * 1000)
    except (ValueError, OverflowError) as error:
        raise Refusal(
            "ERR_INVALID", f"{where} takes a moment in ISO 8601, like 2026-03-02T07:00:00Z.", where
        ) from error


def day(text: str, where: str) -> str:
    """A date ``YYYY-MM-DD`` from 1970 to 2100, as it is. Refuses with ``ERR_INVALID`` what is none."""
    try:
        if "1970" <= text < "2101" and date.fromisoformat(text).isoformat() == text:
            return text
    except ValueError:
        pass
    raise Refusal("ERR_INVALID", f"{where} takes a date from 1970 to 2100, like 2026-03-02.", where)


_NO_ZONES = ("localtime", "posixrules", "Factory")  # files beside those of the zones, as ``right/`` with leap seconds


@lru_cache(maxsize=1024)
def zone(name: str) -> ZoneInfo:
    """An IANA time zone. Refuses with ``ERR_TIME_ZONE`` what is none."""
    try:
        if name in _NO_ZONES or name.startswith(("posix/", "right/")):
            raise ValueError(name)
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise Refusal("ERR_TIME_ZONE", f"{name!r} is not an IANA time zone like Europe/Zagreb.", "timeZone") from error


def local_date(ms: int, zone_name: str) -> str:
    """The date in a time zone at a moment."""
    return datetime.fromtimestamp(ms / 1000, zone(zone_name)).date().isoformat()


def local_day_ms(text: str, zone_name: str) -> tuple[int, int]:
    """When a date begins and ends in a time zone, Unix milliseconds; it may have 23 or 25 hours."""
    midnight = datetime.fromisoformat(text).replace(tzinfo=zone(zone_name))
    return round(midnight.timestamp() * 1000), round((midnight + timedelta(days=1)).timestamp() * 1000)
