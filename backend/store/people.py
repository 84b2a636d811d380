"""Accounts, API keys, pairing codes, devices, and messages between the office and drivers.

Of a secret only its SHA-256 is stored.
"""

from collections.abc import Iterable

import msgspec
from sqlalchemy import Connection, Row, and_, insert, select, update

from backend.domain.accounts import Account, Device, Office, Role, Settings
from backend.store.parts import parts
from backend.store.tables import accounts, api_keys, devices, drivers, messages, pairing_codes

_settings = msgspec.json.Decoder(Settings)


def add_account(conn: Connection, account: Account, now_ms: int) -> None:
    conn.execute(
        insert(accounts).values(
            id=account.id, name=account.name, created_ms=now_ms, settings=msgspec.json.encode(account.settings)
        )
    )


def account_by_name(conn: Connection, name: str) -> Account | None:
    row = conn.execute(select(accounts).where(accounts.c.name == name)).first()
    return _account(row) if row else None


def account(conn: Connection, account_id: str) -> Account | None:
    row = conn.execute(select(accounts).where(accounts.c.id == account_id)).first()
    return _account(row) if row else None


def accounts_that_forget(conn: Connection) -> list[Account]:
    """Those that do not keep their drivers' positions for ever."""
    every = [_account(row) for row in conn.execute(select(accounts))]
    return [each for each in every if each.settings.driver_position_retention_days]


def longest_kept_days(conn: Connection) -> int | None:
    """For how long the account that keeps its drivers' positions longest does so; None where one does for ever."""
    kept = [_account(row).settings.driver_position_retention_days for row in conn.execute(select(accounts))]
    return max(kept) if kept and all(kept) else None


def save_settings(conn: Connection, account_id: str, settings: Settings) -> None:
    conn.execute(update(accounts).where(accounts.c.id == account_id).values(settings=msgspec.json.encode(settings)))


def add_key(conn: Connection, office: Office, name: str, digest: str, now_ms: int) -> None:
    """A new API key, by the digest of its secret; the secret itself is not kept."""
    conn.execute(
        insert(api_keys).values(
            id=office.key_id,
            account_id=office.account.id,
            role=office.role.value,
            name=name,
            customer=office.customer,
            subcontractor=office.subcontractor,
            hash=digest,
            created_ms=now_ms,
        )
    )


def keys(conn: Connection, account_id: str, after: str, limit: int) -> list[Row]:
    """The keys that are good, by id: id, role, name, customer, subcontractor, created_ms."""
    chosen = (api_keys.c.account_id == account_id) & (api_keys.c.id > after) & api_keys.c.revoked_ms.is_(None)
    return list(conn.execute(select(api_keys).where(chosen).order_by(api_keys.c.id).limit(limit)))


def revoke_key(conn: Connection, account_id: str, key_id: str, now_ms: int) -> str | None:
    """The hash of the key that was taken back; None where the account has no such good key."""
    chosen = (api_keys.c.account_id == account_id) & (api_keys.c.id == key_id) & api_keys.c.revoked_ms.is_(None)
    digest = conn.execute(select(api_keys.c.hash).where(chosen)).scalar()
    if digest is not None:
        conn.execute(update(api_keys).where(chosen).values(revoked_ms=now_ms))
    return digest


def office_by_hash(conn: Connection, digest: str) -> Office | None:
    """Who calls with the key of this digest; None where there is none, or it was taken back."""
    row = conn.execute(
        select(api_keys, accounts.c.name.label("account_name"), accounts.c.settings)
        .join(accounts, accounts.c.id == api_keys.c.account_id)
        .where(and_(api_keys.c.hash == digest, api_keys.c.revoked_ms.is_(None)))
    ).first()
    if row is None:
        return None
    company = Account(row.account_id, row.account_name, _settings.decode(row.settings))
    return Office(row.id, company, Role(row.role), row.customer, row.subcontractor)


def add_pairing(conn: Connection, account_id: str, driver_id: str, digest: str, expires_ms: int) -> None:
    conn.execute(
        insert(pairing_codes).values(hash=digest, account_id=account_id, driver_id=driver_id, expires_ms=expires_ms)
    )


def use_pairing(conn: Connection, digest: str, now_ms: int) -> tuple[Account, str] | None:
    """Spend a pairing code: its account and driver; None where it is unknown, spent or too old."""
    good = (pairing_codes.c.hash == digest) & pairing_codes.c.used_ms.is_(None) & (pairing_codes.c.expires_ms > now_ms)
    if conn.execute(update(pairing_codes).where(good).values(used_ms=now_ms)).rowcount == 0:
        return None
    row = conn.execute(select(pairing_codes).where(pairing_codes.c.hash == digest)).one()
    company = account(conn, row.account_id)
    return (company, row.driver_id) if company else None


def add_device(
    conn: Connection, device: Device, digest: str, *, platform: str, model: str, app_version: str, now_ms: int
) -> None:
    """A phone that was paired, by the digest of its token."""
    conn.execute(
        insert(devices).values(
            id=device.id,
            account_id=device.account.id,
            driver_id=device.driver_id,
            hash=digest,
            platform=platform,
            model=model,
            app_version=app_version,
            paired_ms=now_ms,
        )
    )


def device_by_hash(conn: Connection, digest: str) -> Device | None:
    """Whose phone calls with the token of this digest; None where it is not known, or the driver is gone."""
    row = conn.execute(
        select(devices.c.id, devices.c.account_id, devices.c.driver_id, accounts.c.name, accounts.c.settings)
        .join(accounts, accounts.c.id == devices.c.account_id)
        .join(drivers, drivers.c.id == devices.c.driver_id)
        .where(and_(devices.c.hash == digest, devices.c.revoked_ms.is_(None)))
    ).first()
    if row is None:
        return None
    return Device(row.id, Account(row.account_id, row.name, _settings.decode(row.settings)), row.driver_id)


def devices_of(conn: Connection, account_id: str, driver_id: str) -> list[Row]:
    chosen = (devices.c.account_id == account_id) & (devices.c.driver_id == driver_id)
    return list(conn.execute(select(devices).where(chosen).order_by(devices.c.id)))


def revoke_device(conn: Connection, account_id: str, device_id: str, now_ms: int) -> str | None:
    """The hash of the token that was taken back; None where the account has no such good device."""
    chosen = (devices.c.account_id == account_id) & (devices.c.id == device_id) & devices.c.revoked_ms.is_(None)
    digest = conn.execute(select(devices.c.hash).where(chosen)).scalar()
    if digest is not None:
        conn.execute(update(devices).where(chosen).values(revoked_ms=now_ms))
    return digest


def revoke_devices_of(conn: Connection, account_id: str, driver_id: str, now_ms: int) -> list[str]:
    """The hashes of all the tokens that were taken back."""
    chosen = (devices.c.account_id == account_id) & (devices.c.driver_id == driver_id) & devices.c.revoked_ms.is_(None)
    digests = list(conn.execute(select(devices.c.hash).where(chosen)).scalars())
    conn.execute(update(devices).where(chosen).values(revoked_ms=now_ms))
    return digests


def good_among(conn: Connection, digests: Iterable[str]) -> set[str]:
    """Which of these are of keys or tokens that were not taken back."""
    phones = select(devices.c.hash).join(drivers, drivers.c.id == devices.c.driver_id)
    found: set[str] = set()
    for part in parts(digests):
        found |= set(
            conn.scalars(select(api_keys.c.hash).where(api_keys.c.hash.in_(part), api_keys.c.revoked_ms.is_(None)))
        )
        found |= set(conn.scalars(phones.where(devices.c.hash.in_(part), devices.c.revoked_ms.is_(None))))
    return found


def add_message(
    conn: Connection, account_id: str, driver_id: str, message_id: str, *, text: str, from_office: bool, at_ms: int
) -> bool:
    """False where a message with this id is stored for the driver already."""
    same = (messages.c.account_id == account_id) & (messages.c.driver_id == driver_id) & (messages.c.id == message_id)
    if conn.execute(select(messages.c.sequence).where(same)).first():
        return False
    conn.execute(
        insert(messages).values(
            account_id=account_id, driver_id=driver_id, id=message_id, text=text, from_office=from_office, at_ms=at_ms
        )
    )
    return True


def messages_of(conn: Connection, account_id: str, driver_id: str, after: int, limit: int) -> list[Row]:
    """In the order of arrival, from behind the number ``after``."""
    chosen = (messages.c.account_id == account_id) & (messages.c.driver_id == driver_id) & (messages.c.sequence > after)
    return list(conn.execute(select(messages).where(chosen).order_by(messages.c.sequence).limit(limit)))


def messages_to_drivers(conn: Connection, account_id: str, since_ms: int) -> list[Row]:
    """What the office wrote since then, in the order of arrival."""
    chosen = (messages.c.account_id == account_id) & messages.c.from_office & (messages.c.at_ms >= since_ms)
    return list(conn.execute(select(messages).where(chosen).order_by(messages.c.sequence)))


def _account(row: Row) -> Account:
    return Account(row.id, row.name, _settings.decode(row.settings))
