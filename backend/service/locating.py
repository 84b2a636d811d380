"""The locations that a call names for its orders: found, created or changed."""

from collections.abc import Callable, Collection, Iterable, Sequence

import msgspec
from msgspec import UNSET, UnsetType

from backend.domain.accounts import Account, Office
from backend.domain.drafts import LocationDraft, Operation, OrderDraft, amend_location, geocoded, new_location
from backend.domain.errors import Refusal
from backend.domain.orders import Location
from backend.domain.times import local_date
from backend.service.desk import Desk
from backend.store import orders as store
from backend.store import routes
from backend.store.database import Connection

DAY_MS = 86_400_000


class Places:
    """What is known of the locations that these drafts name, and what the call has changed of them so far."""

    def __init__(
        self,
        conn: Connection,
        account_id: str,
        customer: str | None,
        drafts: Sequence[OrderDraft],
        also: Iterable[str],
        fresh: Callable[[], Location],
    ) -> None:
        """``also`` are the ids of more locations that are asked for; ``fresh`` makes one of which nothing is said."""
        self._conn, self._account_id, self._fresh = conn, account_id, fresh
        given = [draft.location for draft in drafts if isinstance(draft.location, LocationDraft)]
        self._by_number = store.locations_by_number(conn, account_id, _texts(given, "location_no"), customer)
        wanted = _texts([draft.location for draft in drafts if draft.find_by_address], "address")
        self._by_address = store.locations_by_address(conn, account_id, wanted, customer) if wanted else {}
        known = {place.id: place for many in (*self._by_number.values(), *self._by_address.values()) for place in many}
        self._places = known | store.locations_by_ids(conn, set(also) - known.keys())
        self._new: dict[str, None] = {}
        self._changed: dict[str, None] = {}

    def at(self, location_id: str) -> Location:
        return self._places[location_id]

    def find(self, draft: OrderDraft, current: Location | None) -> Location:
        """The order's place after this draft, of an order that is at ``current`` now; nothing is remembered yet.

        A new order's draft gives a location. Refused with the location number as ``where``.
        """
        given = draft.location
        if given is UNSET:
            assert current is not None, "a new order without a location"
            return current
        try:
            if draft.find_by_address:
                return self._defined(given, current)
            return self._updated(given, current, replace=draft.operation is Operation.SYNC)
        except Refusal as refusal:
            refusal.where = given.location_no or None
            raise

    def remember(self, place: Location) -> None:
        """The place as it is from now on, for the next draft and for ``write``."""
        if place.id not in self._places:
            self._new[place.id] = None
            if place.location_no:
                self._by_number.setdefault(place.location_no, []).append(place)
            if place.address:
                self._by_address.setdefault(place.address, []).append(place)
        elif place != self._places[place.id] and place.id not in self._new:
            self._changed[place.id] = None
        self._places[place.id] = place

    @property
    def changed(self) -> Collection[str]:
        """The ids of the places that were there before and are different now."""
        return self._changed.keys()

    def write(self) -> None:
        """Everything that was remembered, in two statements."""
        store.insert_locations(self._conn, self._account_id, [self._places[key] for key in self._new])
        store.update_locations(self._conn, [self._places[key] for key in self._changed])

    def _updated(self, given: LocationDraft, current: Location | None, *, replace: bool) -> Location:
        """A location is updated: the one with the number, without a number the order's own; or a new one is made."""
        place = self._numbered(given)
        if place is None and not given.location_no:
            place = current
        if place is None:
            return new_location(given, self._fresh())
        if replace:  # all but what has no default
            kept = {name: getattr(place, name) for name in ("id", "location_no", "latitude", "longitude", "valid")}
            place = msgspec.structs.replace(self._fresh(), **kept)
        return amend_location(place, given)

    def _defined(self, given: LocationDraft, current: Location | None) -> Location:
        """A location is defined by a known number, by coordinates, or by an address, and else stays what it is."""
        place = self._numbered(given)
        if place is not None:
            amended = amend_location(place, given)
            known = given.address in (UNSET, "", place.address) and place.valid
            return amended if known or _has_coordinates(given) else geocoded(amended, given)
        if _has_coordinates(given):
            return self._there(given, current)
        if given.address:
            place = self._addressed(given, current)
            if place is None:
                return new_location(given, self._fresh(), by_address=True)
            amended = amend_location(place, given)
            return amended if place.valid else geocoded(amended, given)
        if current is None or given.location_no:
            return new_location(given, self._fresh())
        return amend_location(current, given)

    def _there(self, given: LocationDraft, current: Location | None) -> Location:
        """A new location at these coordinates, or the order's own where it is that already, or was nowhere before."""
        nameless = not (given.name or given.address or given.location_no)
        if current is None or not (nameless or _same(current, given)):
            return new_location(given, self._fresh())
        if _same(current, given) or not current.valid:
            return amend_location(current, given)
        return amend_location(msgspec.structs.replace(current, id=self._fresh().id, location_no=""), given)

    def _numbered(self, given: LocationDraft) -> Location | None:
        found = self._by_number.get(given.location_no, []) if given.location_no else []
        if len(found) > 1:
            raise Refusal("ERR_LOC_MULTIPLE_LOC", "Multiple locations with the specified locationNo have been found.")
        return self._places[found[0].id] if found else None

    def _addressed(self, given: LocationDraft, current: Location | None) -> Location | None:
        """The location with this address, and with this name where one is given: the order's own before any other."""
        named = [self._places[place.id] for place in self._by_address.get(given.address or "", [])]
        fitting = [
            place
            for place in named
            if place.address == given.address
            and given.name in (UNSET, "", place.name)
            and not (given.location_no and place.location_no)
        ]
        return min(fitting, key=lambda place: (not place.valid, place != current), default=None)


def touch(
    conn: Connection, account: Account, now_ms: int, location_ids: Iterable[str], also: Iterable[str] = ()
) -> list[tuple[str, str]]:
    """Gives the routes that were sent to these places, which are different now, a higher version, and those named
    by their ids; answers the date and the driver of each.

    Days that are over are left alone: a shop of many years is on thousands of routes that nobody drives any more.
    """
    since = local_date(now_ms - DAY_MS, account.settings.time_zone)
    return routes.touch(conn, account.id, store.routes_to(conn, account.id, location_ids, since) | set(also))


def fresh_location(desk: Desk, office: Office) -> Location:
    """A location of which nothing is said."""
    return Location(desk.new_id(), check_in_min=office.account.settings.default_check_in_minutes)


def _has_coordinates(given: LocationDraft) -> bool:
    return given.latitude is not UNSET and given.longitude is not UNSET


def _same(place: Location, given: LocationDraft) -> bool:
    """Whether these coordinates, with this name and this address, are where the place is already."""
    return (
        (place.latitude, place.longitude) == (given.latitude, given.longitude)
        and given.name in (UNSET, place.name)
        and given.address in (UNSET, place.address)
        and given.location_no in (UNSET, place.location_no)
    )


def _texts(places: Iterable[LocationDraft | UnsetType], field: str) -> set[str]:
    """One field of these places, where it is given and not empty."""
    return {text for place in places if (text := getattr(place, field, UNSET)) and text is not UNSET}
