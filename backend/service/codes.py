"""Skills of drivers and features of vehicles, by code."""

from backend.domain.accounts import Office
from backend.domain.drivers import Code, CodeKind
from backend.domain.errors import Refusal
from backend.service.desk import Desk
from backend.store import codes


async def listed(desk: Desk, caller: Office, kind: CodeKind, after: str, limit: int) -> list[Code]:
    """By id, from behind ``after``."""
    return await desk.database.read(lambda conn: codes.page(conn, caller.account.id, kind, after, limit))


async def add(desk: Desk, caller: Office, kind: CodeKind, code: str, name: str) -> Code:
    """One more, without looking for one with this code."""
    made = Code(desk.new_id(), code, name)
    await desk.journal.transact(lambda conn: codes.add(conn, caller.account.id, kind, [made]))
    return made


async def remove(desk: Desk, caller: Office, kind: CodeKind, code_id: str) -> None:
    """Orders, drivers and vehicles that name its code go on naming it."""
    if not await desk.journal.transact(lambda conn: codes.remove(conn, caller.account.id, kind, code_id)):
        raise Refusal("ERR_NOT_FOUND", f"There is no such {kind.value}.", "id")
