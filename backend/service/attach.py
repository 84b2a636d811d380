"""Files from drivers' phones: photos, signatures, scans. They are sent apart from the actions that refer to them.

The app makes the id, which is unique in the account: the same id with the same content is stored once, with other
content it is refused. The type of a file is decided by its content, never by its name or the client's claim.
"""

import asyncio
import re
from collections.abc import AsyncIterable
from typing import Literal, cast, get_args

import msgspec

from backend.domain.accounts import Device
from backend.domain.errors import Refusal
from backend.domain.events import UUID
from backend.service.desk import Desk
from backend.store import attachments, facts, standing
from backend.store.attachments import Attachment
from backend.store.database import Connection
from backend.store.media import Part

Kind = Literal["signature", "image", "barcode"]
KINDS = get_args(Kind)
LAST_WORD = ("ERR_FILE_INVALID", "ERR_CHECKSUM", "ERR_ATTACHMENT_ID_REUSED", "ERR_ORDER_NOT_FOUND")
"""Codes of final refusals: sending the same file again would not help."""
_UUID = re.compile(UUID, re.ASCII)
_SHA256 = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)


class Claim(msgspec.Struct, frozen=True):
    """What a phone claims about a file; ``sha256`` in hex digits, where it is given."""

    id: str
    kind: Kind
    order_id: str | None = None
    sha256: str | None = None


def claim(id: str | None, kind: str | None, order_id: str | None, sha256: str | None = None) -> Claim:
    """Refuses with ``ERR_INVALID`` what does not fit."""
    if id is None or not _UUID.fullmatch(id):
        raise Refusal("ERR_INVALID", "id is a UUID that the app made.", "id")
    if kind not in KINDS:
        raise Refusal("ERR_INVALID", f"kind is one of {', '.join(KINDS)}.", "kind")
    if order_id is not None and (not 1 <= len(order_id) <= 64 or "\x00" in order_id):
        raise Refusal("ERR_INVALID", "orderId is the id of an order.", "orderId")
    if sha256 is not None and not _SHA256.fullmatch(sha256):
        raise Refusal("ERR_INVALID", "sha256 is 64 hex digits.", "sha256")
    return Claim(id, cast(Kind, kind), order_id, sha256 and sha256.lower())


async def see_order(desk: Desk, device: Device, said: Claim) -> None:
    """Before a file comes: refuses with ``ERR_ORDER_NOT_FOUND`` one for an order that is not the driver's, and never
    was."""
    await desk.database.read(lambda conn: _see_order(conn, device, said))


async def receive(desk: Desk, pieces: AsyncIterable[bytes]) -> Part:
    """Write a file that comes in one go; what is cut off or refused on the way leaves nothing."""
    part = await desk.media.on_disk(desk.media.begin)
    try:
        await desk.media.extend(part, pieces, desk.settings.max_attachment_bytes)
    except BaseException:
        await asyncio.shield(desk.media.on_disk(desk.media.discard, part))
        raise
    return part


async def keep(desk: Desk, device: Device, part: Part, said: Claim) -> tuple[Attachment, bool]:
    """Store a whole file as an attachment of the driver; False where it was stored before. The part is gone after it.

    Refusals: ``ERR_FILE_INVALID``, ``ERR_CHECKSUM``, ``ERR_ATTACHMENT_ID_REUSED``, ``ERR_ORDER_NOT_FOUND``. Where the
    store itself refuses, the part stays.
    """
    try:
        sha256 = await desk.media.sha256(part)
        if said.sha256 is not None and said.sha256 != sha256:
            raise Refusal("ERR_CHECKSUM", f"The file that came has the SHA-256 {sha256}, not the one said.", "sha256")
        earlier = await desk.database.read(lambda conn: _look(conn, device, said))
        if earlier is not None:
            stored = _same(earlier, device, sha256), False
        else:
            stored = await _store(desk, device, part, said, sha256)
    except Refusal as refusal:
        if refusal.code in LAST_WORD:
            await desk.media.on_disk(desk.media.discard, part)
        raise
    await desk.media.on_disk(desk.media.discard, part)
    return stored


async def _store(desk: Desk, device: Device, part: Part, said: Claim, sha256: str) -> tuple[Attachment, bool]:
    type_, size = await desk.media.inspect(part), await desk.media.on_disk(lambda: part.size)
    now_ms = desk.clock.now_ms()
    made = Attachment(said.id, device.driver_id, said.kind, type_, size, sha256, said.order_id, now_ms)
    await desk.media.keep(part)

    def add(conn: Connection) -> tuple[Attachment, bool]:
        if earlier := attachments.by_id(conn, device.account.id, said.id):
            return _same(earlier, device, sha256), False
        attachments.insert_attachment(conn, device.account.id, made)
        return made, True

    stored = await desk.journal.transact(add)
    desk.hub.tell_facts(device.account.id, device.driver_id)
    return stored


def _look(conn: Connection, device: Device, said: Claim) -> Attachment | None:
    """What is stored under this id. Refuses an order that is not the driver's, and never was."""
    _see_order(conn, device, said)
    return attachments.by_id(conn, device.account.id, said.id)


def _see_order(conn: Connection, device: Device, said: Claim) -> None:
    if said.order_id is not None and not _own_order(conn, device, said.order_id):
        raise Refusal("ERR_ORDER_NOT_FOUND", "This driver has no such order.", "orderId")


def _own_order(conn: Connection, device: Device, order_id: str) -> bool:
    """Also one that the driver reported on before it was given to another: its photos still count."""
    if standing.own_orders(conn, device.account.id, device.driver_id, [order_id], []):
        return True
    return any(fact.driver_id == device.driver_id for fact in facts.of_orders(conn, [order_id]).get(order_id, ()))


def _same(earlier: Attachment, device: Device, sha256: str) -> Attachment:
    if earlier.driver_id != device.driver_id or earlier.sha256 != sha256:
        raise Refusal("ERR_ATTACHMENT_ID_REUSED", "Another file with this id was received before.", "id")
    return earlier
