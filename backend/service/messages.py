"""Messages between the office and drivers."""

from backend.domain.accounts import Device, Office
from backend.domain.errors import Refusal
from backend.domain.times import iso
from backend.live.phones import Message
from backend.service.desk import Desk
from backend.store import fleet, people
from backend.store.database import Connection

__all__ = ["Message", "from_driver", "of_driver", "to_driver", "to_drivers_since"]


async def to_driver(desk: Desk, caller: Office, driver_id: str, text: str) -> Message:
    """Write to a driver; the phone shows it at once where it is connected, else when it comes back."""
    now_ms = desk.clock.now_ms()
    message = Message(desk.new_id(), text, iso(now_ms), "office")

    def save(conn: Connection) -> None:
        if fleet.driver(conn, caller.account.id, driver_id) is None:
            raise Refusal("ERR_NOT_FOUND", "There is no such driver.", "id")
        people.add_message(conn, caller.account.id, driver_id, message.id, text=text, from_office=True, at_ms=now_ms)

    await desk.journal.transact(save)
    desk.hub.tell_message(caller.account.id, driver_id, message)
    return message


async def from_driver(desk: Desk, caller: Device, message_id: str, text: str) -> bool:
    """A driver's words to the office. False where this id was stored before: sending again is free."""
    if not 1 <= len(message_id) <= 64 or not 1 <= len(text) <= 2000 or "\x00" in text:
        raise Refusal(
            "ERR_MESSAGE_INVALID", "A message has an id of up to 64 and a text of 1 to 2000 characters.", "text"
        )
    return await desk.journal.transact(
        lambda conn: people.add_message(
            conn,
            caller.account.id,
            caller.driver_id,
            message_id,
            text=text,
            from_office=False,
            at_ms=desk.clock.now_ms(),
        )
    )


async def of_driver(
    desk: Desk, caller: Office | Device, driver_id: str, after: int, limit: int
) -> list[tuple[int, Message]]:
    """Both sides' messages in the order of arrival, each with its number, from behind ``after``."""

    def read(conn: Connection) -> list[tuple[int, Message]]:
        if fleet.driver(conn, caller.account.id, driver_id) is None:
            raise Refusal("ERR_NOT_FOUND", "There is no such driver.", "id")
        rows = people.messages_of(conn, caller.account.id, driver_id, after, limit)
        return [(row.sequence, _message(row)) for row in rows]

    return await desk.database.read(read)


async def to_drivers_since(desk: Desk, account_id: str, since_ms: int) -> list[tuple[str, Message]]:
    """What the office wrote since then, each with its driver."""
    rows = await desk.database.read(lambda conn: people.messages_to_drivers(conn, account_id, since_ms))
    return [(row.driver_id, _message(row)) for row in rows]


def _message(row: people.Row) -> Message:
    return Message(row.id, row.text, iso(row.at_ms), "office" if row.from_office else "driver")
