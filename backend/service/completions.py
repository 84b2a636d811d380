"""What became of orders: begun and ended when and where, and what the driver handed in."""

from collections.abc import Mapping, Sequence

import msgspec

from backend.domain.accounts import Office
from backend.domain.drafts import OrderName
from backend.domain.errors import Refusal
from backend.domain.events import attachments_of
from backend.domain.orders import Location
from backend.domain.progress import OrderState
from backend.service import history, orders
from backend.service.desk import Desk
from backend.store import attachments, standing
from backend.store import orders as store
from backend.store.attachments import Attachment
from backend.store.database import Connection
from backend.store.orders import Record


class Completion(msgspec.Struct, frozen=True):
    """``files`` are those of the form's attachments that have arrived, by id; ``zone`` is the IANA time zone there.

    ``tracking`` is the code of the recipient's page, None where tracking is off or nothing was sent.
    """

    account_id: str
    record: Record
    place: Location
    zone: str
    state: OrderState
    files: Mapping[str, Attachment]
    tracking: str | None


async def of(desk: Desk, office: Office, names: Sequence[OrderName]) -> list[Completion | Refusal]:
    """One answer per name, in order; ``ERR_ORD_NOT_FOUND``, ``ERR_MULTIPLE_ORD_FOUND``."""

    def read(conn: Connection) -> list[Completion | Refusal]:
        found = orders.resolve(conn, office, names)
        complete = iter(of_records(conn, office, [each for each in found if isinstance(each, Record)]))
        return [each if isinstance(each, Refusal) else next(complete) for each in found]

    return await desk.database.read(read)


def of_records(conn: Connection, office: Office, records: Sequence[Record]) -> list[Completion]:
    """Of orders that are at hand, in the same order."""
    account = office.account
    places = store.locations_by_ids(conn, {record.order.location_id for record in records})
    states = [standing.state_of(record.completion) for record in records]
    wanted = {name for state in states for name in attachments_of(state.form)}
    files = attachments.by_ids(conn, account.id, wanted) if wanted else {}
    return [
        Completion(
            account.id,
            record,
            place := places[record.order.location_id],
            history.zone_of(place, account),
            state,
            {id: file for id, file in files.items() if file.driver_id == state.form_of},
            record.tracking if account.settings.order_tracking else None,
        )
        for record, state in zip(records, states, strict=True)
    ]
