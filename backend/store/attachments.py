"""The rows of drivers' files; their bytes are in ``media``, under their SHA-256."""

from collections.abc import Iterable

import msgspec
from sqlalchemy import Connection, insert, select

from backend.store.parts import parts
from backend.store.tables import attachments


class Attachment(msgspec.Struct, frozen=True):
    """``kind`` is signature, image or barcode; ``type`` the media type that its content shows; ``size`` in bytes."""

    id: str
    driver_id: str
    kind: str
    type: str
    size: int
    sha256: str
    order_id: str | None = None
    arrived_ms: int = 0


_COLUMNS = [attachments.c[name] for name in Attachment.__struct_fields__]


def by_id(conn: Connection, account_id: str, id: str) -> Attachment | None:
    return by_ids(conn, account_id, [id]).get(id)


def by_ids(
    conn: Connection, account_id: str, ids: Iterable[str], driver_id: str | None = None
) -> dict[str, Attachment]:
    """Those of these that have arrived; of the one driver alone where given."""
    found: dict[str, Attachment] = {}
    for part in parts(ids):
        statement = select(*_COLUMNS).where(attachments.c.account_id == account_id, attachments.c.id.in_(part))
        if driver_id is not None:
            statement = statement.where(attachments.c.driver_id == driver_id)
        found |= {row["id"]: Attachment(**row) for row in conn.execute(statement).mappings()}
    return found


def not_of(conn: Connection, account_id: str, driver_id: str, ids: Iterable[str]) -> frozenset[str]:
    """Those of these that have arrived from another driver of the account."""
    found = by_ids(conn, account_id, ids)
    return frozenset(id for id, attachment in found.items() if attachment.driver_id != driver_id)


def insert_attachment(conn: Connection, account_id: str, attachment: Attachment) -> None:
    conn.execute(insert(attachments), msgspec.structs.asdict(attachment) | {"account_id": account_id})
