"""Authentication: accounts, API keys, pairing of devices, and which caller a secret belongs to."""

import hashlib
import hmac
import secrets
from collections.abc import Callable

import msgspec

from backend.domain.accounts import Account, Device, Office, Role, Settings
from backend.domain.errors import Refusal
from backend.domain.times import iso
from backend.service.callers import origin
from backend.service.desk import Desk, new_id
from backend.store import fleet, people
from backend.store.database import Connection

PAIRING_LIFE_MS = 15 * 60 * 1000
# Without the letters and digits that are taken for one another.
_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"


class KnownKey(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A key without its secret."""

    id: str
    role: str
    name: str
    created_at: str
    customer: str | None = None
    subcontractor: str | None = None


class PairedPhone(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    id: str
    platform: str
    model: str
    app_version: str
    paired_at: str
    revoked_at: str | None = None


def digest(secret: str) -> str:
    """What is stored of a secret: a plain hash, since keys and tokens are long and random, codes short-lived."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def operator_token(secret: bytes) -> str:
    """What the operator's own commands present to a server that holds the data folder they are to work on."""
    return hmac.new(secret, b"operator", hashlib.sha256).hexdigest()


async def office(desk: Desk, secret: str) -> Office | None:
    """Whose API key this is."""
    caller = await _caller(desk, secret, people.office_by_hash)
    return caller if isinstance(caller, Office) else None


async def device(desk: Desk, secret: str) -> Device | None:
    """Which driver's phone this token was given to."""
    caller = await _caller(desk, secret, people.device_by_hash)
    return caller if isinstance(caller, Device) else None


async def _caller(
    desk: Desk, secret: str, find: Callable[[Connection, str], Office | Device | None]
) -> Office | Device | None:
    key = digest(secret)
    known = desk.acquaintances.recall(key)
    if known is None:
        generation = desk.acquaintances.generation
        known = await desk.database.read(lambda conn: find(conn, key))
        if known is not None:
            desk.acquaintances.remember(key, known, generation)
    return known


async def create_account(desk: Desk, name: str, key: str | None = None) -> tuple[Account, str]:
    """A new company and its first key. Refuses a name that is taken, and a given key under 16 characters."""
    if not name.strip():
        raise Refusal("ERR_NAME_EMPTY", "An account needs a name.", "name")
    if key is not None and len(key) < 16:
        raise Refusal(
            "ERR_KEY_TOO_SHORT", "A key must have at least 16 characters; leave it out to get a random one.", "key"
        )
    secret = key or secrets.token_urlsafe(24)
    company = Account(desk.new_id(), name.strip(), Settings())
    owner = Office(desk.new_id(), company, Role.TENANT)

    def add(conn: Connection) -> None:
        if people.account_by_name(conn, company.name):
            raise Refusal("ERR_ACCOUNT_EXISTS", f"There is already an account named {company.name!r}.", "name")
        if people.office_by_hash(conn, digest(secret)):
            raise Refusal("ERR_KEY_EXISTS", "That key is in use.", "key")
        people.add_account(conn, company, desk.clock.now_ms())
        people.add_key(conn, owner, "first key", digest(secret), desk.clock.now_ms())

    await desk.journal.transact(add)
    return company, secret


async def owner(desk: Desk, name: str) -> Office:
    """Someone who may do everything in the account of this name: for the operator's own commands."""
    company = await desk.database.read(lambda conn: people.account_by_name(conn, name))
    if company is None:
        raise Refusal("ERR_ACCOUNT_NOT_FOUND", f"There is no account named {name!r}.", "--account")
    return Office("", company, Role.TENANT)


async def create_key(
    desk: Desk, caller: Office, role: Role, name: str, customer: str | None, subcontractor: str | None
) -> tuple[Office, str]:
    """A further key of the caller's account; the secret is told this once."""
    if (role is Role.CUSTOMER) != bool(customer):
        raise Refusal("ERR_KEY_SCOPE", "A key names a customer when its role is customer, and only then.", "customer")
    if (role is Role.SUBCONTRACTOR) != bool(subcontractor):
        raise Refusal(
            "ERR_KEY_SCOPE",
            "A key names a subcontractor when its role is subcontractor, and only then.",
            "subcontractor",
        )
    secret = secrets.token_urlsafe(24)
    made = Office(desk.new_id(), caller.account, role, customer, subcontractor)
    await desk.journal.transact(lambda conn: people.add_key(conn, made, name, digest(secret), desk.clock.now_ms()))
    return made, secret


async def keys(desk: Desk, caller: Office, after: str, limit: int) -> list[KnownKey]:
    """The good keys of the account, without their secrets."""
    rows = await desk.database.read(lambda conn: people.keys(conn, caller.account.id, after, limit))
    return [KnownKey(row.id, row.role, row.name, iso(row.created_ms), row.customer, row.subcontractor) for row in rows]


async def revoke_key(desk: Desk, caller: Office, key_id: str) -> None:
    """Take a key back at once: what it holds open is closed."""
    gone = await desk.journal.transact(
        lambda conn: people.revoke_key(conn, caller.account.id, key_id, desk.clock.now_ms())
    )
    if gone is None:
        raise Refusal("ERR_NOT_FOUND", "There is no such key.", "id")
    desk.hub.tell_revoked(gone)
    await desk.hub.spread()


async def change_settings(desk: Desk, caller: Office, change: Callable[[Settings], Settings]) -> Settings:
    """Change the account's settings by a function of what they are."""

    def save(conn: Connection) -> Settings:
        company = people.account(conn, caller.account.id)
        assert company is not None, "accounts are never deleted"
        settings = change(company.settings)
        people.save_settings(conn, company.id, settings)
        return settings

    settings = await desk.journal.transact(save)
    desk.hub.note("account", caller.account.id)
    await desk.hub.spread()
    return settings


async def start_pairing(desk: Desk, caller: Office, driver_id: str) -> tuple[str, int]:
    """A code that pairs one phone with the driver, good once and for 15 minutes: the code, when it ends (ms)."""
    code = "".join(secrets.choice(_ALPHABET) for _ in range(10))
    expires_ms = desk.clock.now_ms() + PAIRING_LIFE_MS

    def add(conn: Connection) -> None:
        if fleet.driver(conn, caller.account.id, driver_id) is None:
            raise Refusal("ERR_NOT_FOUND", "There is no such driver.", "id")
        people.add_pairing(conn, caller.account.id, driver_id, digest(code), expires_ms)

    await desk.journal.transact(add)
    return code, expires_ms


async def pair(
    desk: Desk, address: str, code: str, *, platform: str, model: str, app_version: str
) -> tuple[Device, str]:
    """Spend a code for a device token. Refuses a wrong code, and for a while who guessed wrong ten times."""
    address = origin(address)
    desk.guesses.check(address)
    now_ms = desk.clock.now_ms()
    token = secrets.token_urlsafe(32)

    def spend(conn: Connection) -> Device | None:
        found = people.use_pairing(conn, digest(code.strip().upper().replace("-", "")), now_ms)
        if found is None or fleet.driver(conn, found[0].id, found[1]) is None:
            return None
        phone = Device(new_id(now_ms), found[0], found[1])
        people.add_device(
            conn, phone, digest(token), platform=platform, model=model, app_version=app_version, now_ms=now_ms
        )
        return phone

    phone = await desk.journal.transact(spend)
    if phone is None:
        desk.hub.note("guess", f"{desk.guesses.wrong(address)} {address}")
        raise Refusal(
            "ERR_PAIRING_CODE", "This code is not known, was used already, or is over 15 minutes old.", "code"
        )
    desk.hub.note("guess", f"0 {address}")
    return phone, token


async def devices(desk: Desk, caller: Office, driver_id: str) -> list[PairedPhone]:
    """The phones that were paired with the driver, also those that were signed out since."""

    def read(conn: Connection) -> list[PairedPhone]:
        if fleet.driver(conn, caller.account.id, driver_id) is None:
            raise Refusal("ERR_NOT_FOUND", "There is no such driver.", "id")
        return [_phone(row) for row in people.devices_of(conn, caller.account.id, driver_id)]

    return await desk.database.read(read)


async def revoke_device(desk: Desk, caller: Office, device_id: str) -> None:
    """Take a phone's token back at once."""
    gone = await desk.journal.transact(
        lambda conn: people.revoke_device(conn, caller.account.id, device_id, desk.clock.now_ms())
    )
    if gone is None:
        raise Refusal("ERR_NOT_FOUND", "There is no such device.", "id")
    desk.hub.tell_revoked(gone)
    await desk.hub.spread()


def _phone(row: people.Row) -> PairedPhone:
    revoked_at = None if row.revoked_ms is None else iso(row.revoked_ms)
    return PairedPhone(row.id, row.platform, row.model, row.app_version, iso(row.paired_ms), revoked_at)
