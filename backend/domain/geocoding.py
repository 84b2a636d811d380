"""The result of looking an address up, and whether it is precise enough for an order."""

import msgspec

from backend.domain.errors import Refusal
from backend.domain.orders import Location


class Match(msgspec.Struct, frozen=True):
    """One place that an address may mean, in degrees; ``partial`` where it is not all that was asked for."""

    address: str
    latitude: float
    longitude: float
    partial: bool = False


class Lookup(msgspec.Struct, frozen=True):
    """What was found for an address, the best first. ``trouble`` says why where the geocoder could not be asked."""

    matches: tuple[Match, ...] = ()
    trouble: str = ""


class Accepted(msgspec.Struct, frozen=True):
    """What a shipper puts up with: one of several places, a place that is only near, no place at all."""

    multiple: bool = False
    partial: bool = False
    nothing: bool = False


class Unplaced(Refusal):
    """An address that does not say well enough where it is, with what was found for it."""

    def __init__(self, code: str, text: str, matches: tuple[Match, ...] = ()) -> None:
        super().__init__(code, text)
        self.matches = matches


class NotLookedUp(Unplaced):
    """An address that nobody has looked up yet."""

    def __init__(self, address: str) -> None:
        super().__init__("ERR_LOC_GEOCODING", "The specified address could not be geocoded.")
        self.address = address


def locate(place: Location, lookup: Lookup, accepted: Accepted) -> Location:
    """The place at the best match, or without coordinates where none was found and that is put up with.

    Refuses with ``ERR_LOC_GEOCODING``, ``ERR_LOC_GEOCODING_MULTIPLE`` or ``ERR_LOC_GEOCODING_PARTIAL``, in this order.
    """
    matches = lookup.matches
    if not matches:
        if accepted.nothing:
            return msgspec.structs.replace(place, valid=False)
        raise Unplaced("ERR_LOC_GEOCODING", _nothing(lookup))
    best = matches[0]
    if len(matches) > 1 and not accepted.multiple:
        raise Unplaced("ERR_LOC_GEOCODING_MULTIPLE", f"The address fits {len(matches)} places.", matches)
    if best.partial and not accepted.partial:
        text = f"No exact match for the address was found; the nearest is: {best.address}."
        raise Unplaced("ERR_LOC_GEOCODING_PARTIAL", text, matches)
    return msgspec.structs.replace(place, latitude=best.latitude, longitude=best.longitude, valid=True)


def caution(lookup: Lookup) -> tuple[str, str] | None:
    """What to warn of, as a code and a sentence, where a place was stored although its address was not clear."""
    match lookup.matches:
        case ():
            text = f"{_nothing(lookup)} The order cannot be planned until its location is corrected."
            return "WAR_LOC_GEOCODING", text
        case (_, _, *_):
            text = f"The address fits {len(lookup.matches)} places; the first was taken."
            return "WAR_LOC_GEOCODING_MULTIPLE", text
        case (best,) if best.partial:
            return "WAR_LOC_GEOCODING_PARTIAL", "No exact match for the address was found; the nearest was taken."
    return None


def _nothing(lookup: Lookup) -> str:
    if lookup.trouble:
        return f"The specified address could not be geocoded: the geocoder could not be asked ({lookup.trouble})."
    return "The specified address could not be geocoded: nothing was found for it."
