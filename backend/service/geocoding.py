"""Saving orders whose addresses may have to be geocoded first."""

import msgspec
from msgspec import UNSET

from backend.domain.accounts import Office
from backend.domain.drafts import OrderDraft
from backend.domain.errors import Refusal
from backend.domain.geocoding import Lookup, Match, NotLookedUp
from backend.service import orders
from backend.service.desk import Desk
from backend.service.orders import Saved
from backend.store import orders as store
from backend.store.database import Connection


async def save(desk: Desk, office: Office, draft: OrderDraft) -> Saved | Refusal:
    """One order. The address of its location is looked up where nothing else says where it is.

    The geocoder is asked before the transaction, which cannot wait for it: a rehearsal finds whether it is needed.
    Where the account has locations with this address under other names, they say where it is, and nobody is asked.
    """

    def rehearse(conn: Connection) -> str | Lookup | None:
        try:
            orders.rehearse(conn, desk, office, draft)
        except NotLookedUp as wanted:
            return _known(conn, office, wanted.address) or wanted.address
        except Refusal:
            pass  # it will be refused again, by the transaction
        return None

    found = await desk.database.read(rehearse)
    if isinstance(found, str):
        found = await desk.geocoder.find(found)
    if found is not None and draft.location is not UNSET:
        draft = msgspec.structs.replace(draft, location=msgspec.structs.replace(draft.location, lookup=found))
    return (await orders.save(desk, office, [draft]))[0]


def _known(conn: Connection, office: Office, address: str) -> Lookup | None:
    same = store.locations_by_address(conn, office.account.id, [address], office.customer).get(address, [])
    spots = dict.fromkeys((place.latitude, place.longitude) for place in same if place.valid)
    return Lookup(tuple(Match(address, *spot) for spot in spots)) if spots else None
