"""The dispatch status of a day's plan: whether it was sent to the drivers, when, and what has changed since."""

import msgspec

from backend.domain.accounts import Office
from backend.service.desk import Desk
from backend.store import routes
from backend.store.database import Connection


class Changes(msgspec.Struct, frozen=True):
    """Routes that the drivers do not have like this: they have none there, another one, or one that is gone."""

    added: int = 0
    modified: int = 0
    removed: int = 0


class Dispatch(msgspec.Struct, frozen=True):
    """``date`` is None where nobody asked for one and no plan was sent yet; ``live`` is whether this plan was the last
    to be sent; ``sent_ms`` when, Unix milliseconds."""

    date: str | None
    live: bool
    sent_ms: int | None
    changes: Changes


async def status(desk: Desk, office: Office, date: str | None) -> Dispatch:
    """Of a date, or of the one whose plan was sent last."""

    def read(conn: Connection) -> Dispatch:
        live = routes.last_sent(conn, office.account.id)
        asked = date or live
        records = routes.on_dates(conn, office.account.id, asked, asked) if asked else []
        sent_ms = max((each.sent_ms for each in records if each.sent_ms is not None), default=None)
        changes = Changes(
            added=sum(1 for each in records if each.planned and not each.active),
            modified=sum(1 for each in records if each.planned and each.active and each.planned != each.active),
            removed=sum(1 for each in records if each.active and not each.planned),
        )
        return Dispatch(asked, asked is not None and asked == live, sent_ms, changes)

    return await desk.database.read(read)
