"""The operator's commands. They work on the data folder directly, or through the server that is using it.

Only one process at a time may use a data folder. A running server leaves its address in the file ``address`` there, so
that these commands can find it.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import httpx
import msgspec

from backend.api import body
from backend.api.office.fleet import declared
from backend.api.office.wire import FleetIn
from backend.app import open_desk
from backend.domain.errors import Refusal
from backend.service import fleet, identity
from backend.service.desk import Clock, Desk
from backend.settings import Settings
from backend.store import backup, disk
from backend.store.transfer import transfer

T = TypeVar("T")
log = logging.getLogger(__name__)
_PATIENCE_S = 30.0


def create_account(settings: Settings, name: str, key: str | None) -> str:
    """A new account; its first API key. Refuses as :func:`backend.service.identity.create_account` does."""

    async def here(desk: Desk) -> str:
        return (await identity.create_account(desk, name, key))[1]

    def there(client: httpx.Client) -> str:
        given = {"name": name} | ({"key": key} if key is not None else {})
        return str(_told(client.post("/operator/accounts", json=given))["key"])

    return _on(settings, here, there)


def import_fleet(settings: Settings, account: str, document: bytes) -> dict[str, dict[str, int]]:
    """Declare the fleet in the document; how many of each thing were created, updated, unchanged."""

    async def here(desk: Desk) -> dict[str, dict[str, int]]:
        caller = await identity.owner(desk, account)
        given = declared(body.decode(document, msgspec.json.Decoder(FleetIn)))
        counts: dict[str, dict[str, int]] = msgspec.to_builtins(await fleet.declare(desk, caller, given))
        return counts

    def there(client: httpx.Client) -> dict[str, dict[str, int]]:
        return _told(client.put("/operator/fleet", params={"account": account}, content=document))

    return _on(settings, here, there)


def migrate(settings: Settings, to: str, tell: Callable[[str], None]) -> dict[str, int]:
    """The database into an empty PostgreSQL; see :func:`backend.store.transfer.transfer`. Nobody may serve it."""
    return transfer(settings.database_url or settings.data_dir, to, tell)


def back_up(settings: Settings, to: Path) -> backup.Copied:
    """Everything that lies in the data folder, also while it is served; see :func:`backend.store.backup.back_up`."""
    _only_a_folder(settings)
    return backup.back_up(settings.data_dir, to, photos=not settings.blob_url)


def restore(settings: Settings, source: Path) -> backup.Copied:
    """A backup to a data folder that is empty; see :func:`backend.store.backup.restore`."""
    _only_a_folder(settings)
    return backup.restore(source, settings.data_dir)


def _only_a_folder(settings: Settings) -> None:
    if settings.database_url:
        by = "pg_dump, or a base backup with its log"
        if settings.database_url.startswith("sqlite:"):
            by = "sqlite3's command .backup"
        how = f"back it up by {by}, and after that the folder of photos"
        raise Refusal("ERR_BACKUP_ELSEWHERE", f"The database lies at CODRIVER_DATABASE_URL: {how}.")


def make_folder(settings: Settings) -> None:
    """Create the data folder where it does not exist. Refuses with ``ERR_STORAGE`` where that is not possible."""
    try:
        disk.make_folder(settings.data_dir)
    except OSError as error:
        text = f"The data folder {settings.data_dir} cannot be created: {error.strerror}."
        raise Refusal("ERR_STORAGE", text, "--data") from error


@contextlib.contextmanager
def serving_at(settings: Settings, address: str) -> Iterator[None]:
    """Leave the server's address in the data folder while it serves; on a disk that does not take it, do without.

    To be entered once the data folder is locked: a second server that finds it locked must not touch the first one's
    address.
    """
    note = _note(settings)
    try:
        note.write_text(address + "\n")
    except OSError as error:
        log.warning("%s could not be written, so the operator's commands will not find this server: %s", note, error)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # the operator's commands ask the folder's lock, and the address only then
            note.unlink()


def _on(settings: Settings, here: Callable[[Desk], Awaitable[T]], there: Callable[[httpx.Client], T]) -> T:
    async def alone() -> T:
        async with open_desk(settings, Clock(), "") as desk:
            return await here(desk)

    make_folder(settings)
    try:
        return asyncio.run(alone())
    except Refusal as refusal:
        if refusal.code != "ERR_STORAGE_LOCKED" or not _note(settings).exists():
            raise
    headers = {"Authorization": f"Bearer {identity.operator_token(settings.secret())}"}
    address = _note(settings).read_text().strip()
    try:
        with httpx.Client(base_url=address, headers=headers, timeout=_PATIENCE_S, trust_env=False) as client:
            return there(client)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Refusal("ERR_SERVER", f"The server at {address} uses the data folder, but does not answer.") from error


def _told(answer: httpx.Response) -> dict[str, Any]:
    try:
        told: dict[str, Any] = msgspec.json.decode(answer.content, type=dict[str, Any])
    except msgspec.DecodeError as error:  # an address that a killed server left behind, and another program took
        text = f"The data folder is in use, and what answers at {answer.url.host}:{answer.url.port} is not Codriver."
        raise Refusal("ERR_SERVER", text) from error
    if answer.is_error:
        raise Refusal(told.get("code", "ERR_SERVER"), told.get("detail", answer.text), told.get("where"))
    return told


def _note(settings: Settings) -> Path:
    return settings.data_dir / "address"
