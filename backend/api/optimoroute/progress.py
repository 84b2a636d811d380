"""What happened: events, completion details."""

import base64
import binascii
import hashlib
from datetime import UTC, datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from backend.api import events
from backend.api.completion import completion_out
from backend.api.optimoroute import wire
from backend.api.optimoroute.call import BULK, Answer, Call, convert, failure, method
from backend.api.optimoroute.orders import named
from backend.domain.accounts import Role
from backend.domain.drafts import OrderName
from backend.domain.errors import Refusal
from backend.domain.orders import Status
from backend.domain.positions import EARLIEST_S, LATEST_S
from backend.service import completions, history
from backend.service.completions import Asked, Completion

EVENTS = 500  # in one answer


class Moment(msgspec.Struct, frozen=True, rename="camel"):
    """The Time update object: the first of the three that is there counts."""

    unix_timestamp: Annotated[float, Meta(ge=EARLIEST_S, le=LATEST_S)] | None = None
    utc_time: str | None = None
    local_time: str | None = None

    def moment(self) -> int | str:
        """Unix milliseconds, or the local time as it was written."""
        if self.unix_timestamp is not None:
            return round(self.unix_timestamp * 1000)
        if self.utc_time is not None:
            return round(_parsed(self.utc_time).replace(tzinfo=UTC).timestamp() * 1000)
        if self.local_time is not None:
            return _parsed(self.local_time).replace(tzinfo=None).isoformat()
        raise Refusal("ERR_INVALID_PARAM_FORMAT", "A time needs one of unixTimestamp, utcTime and localTime.")


class Data(msgspec.Struct, frozen=True, rename="camel"):
    status: Status | None = None
    start_time: Moment | None = None
    end_time: Moment | None = None


class Update(wire.OrderName, frozen=True, rename="camel"):
    data: Data = Data()


class Updates(msgspec.Struct, frozen=True):
    updates: Annotated[list[Update], Meta(min_length=1, max_length=BULK)]


@method(
    "get_events",
    "GET",
    roles=(Role.TENANT, Role.SUBCONTRACTOR),
    query={"after_tag": "The tag of the answer to read on from."},
)
async def get_events(call: Call) -> Answer:
    """Up to 500 events after `after_tag` (all, where it is left out), in order of arrival, and how many remain."""
    account_id = call.office.account.id
    tag = call.optional("after_tag")
    after = _sequence(account_id, tag) if tag else _by_other_name(account_id, call.optional("afterTag"))
    page = await history.since(call.desk, account_id, after, EVENTS, call.office.subcontractor)
    return {
        "success": True,
        "events": [events.event_out(event) for event in page.items],
        "tag": _tag(account_id, page.upto),
        "remainingEvents": page.remaining,
    }


@method(
    "get_completion_details",
    "POST",
    "GET",
    roles=(Role.TENANT, Role.CUSTOMER, Role.SUBCONTRACTOR),
    takes=wire.OrderNames,
    query=wire.ORDER_NUMBERS,
)
async def get_completion_details(call: Call) -> Answer:
    """What became of up to 500 orders. Body: `{"orders": [{"orderNo": "…"}, {"id": "…"}]}`; or GET `?orderNo=…`."""
    items = named(call)
    names = [wire.order_name(item) for item in items]
    wanted = [each for each in names if isinstance(each, OrderName)]
    found = iter(await completions.of(call.desk, call.office, wanted))
    results = [each if isinstance(each, Refusal) else next(found) for each in names]
    parts = [_completed(call, item, each) for item, each in zip(items, results, strict=True)]
    return {"success": any(part["success"] for part in parts), "orders": parts}


@method("update_completion_details", "POST", roles=(Role.TENANT, Role.SUBCONTRACTOR), takes=Updates)
async def update_completion_details(call: Call) -> Answer:
    """Sets what became of up to 500 orders. Body: `{"updates": [{"orderNo" | "id", "data": {"status", …}}]}`."""
    items = call.items("updates")
    asked = [_asked(item) for item in items]
    wanted = [each for each in asked if not isinstance(each, Refusal)]
    found = iter(await completions.set_statuses(call.desk, call.office, wanted))
    results = [each if isinstance(each, Refusal) else next(found) for each in asked]
    parts = [_completed(call, item, each) for item, each in zip(items, results, strict=True)]
    # The document's table calls the list updates, its example orders: whoever reads either finds it.
    return {"success": any(part["success"] for part in parts), "updates": parts, "orders": parts}


def _asked(item: object) -> tuple[OrderName, Asked] | Refusal:
    name = wire.order_name(item)
    if isinstance(name, Refusal):
        return name
    try:
        data = convert(item, Update).data
        if data.status is None:
            raise Refusal("ERR_MISSING_MAND_FIELD", "The field status is missing.", "status")
        timed = data.status in (Status.SERVICING, Status.SUCCESS, Status.FAILED)
        start = data.start_time.moment() if timed and data.start_time else None
        ended = timed and data.status is not Status.SERVICING
        end = data.end_time.moment() if ended and data.end_time else None
        return name, Asked(data.status, start, end)
    except Refusal as refusal:
        return refusal


def _completed(call: Call, item: object, result: Completion | Refusal) -> Answer:
    if isinstance(result, Refusal):
        return failure(result) | wire.echo(item, "orderNo", "id")
    plain = call.office.role is Role.CUSTOMER
    data = completion_out(call.desk, result, plain=plain)
    return {"success": True} | wire.echo(item, "orderNo", "id") | {"data": data}


def _parsed(text: str) -> datetime:
    """A moment as it was written, without its offset: the field's name says which it is."""
    try:
        parsed = datetime.fromisoformat(text.removesuffix("Z"))
    except ValueError as error:
        raise Refusal("ERR_INVALID_PARAM_FORMAT", "A time is written YYYY-MM-DDTHH:MM:SS.") from error
    if parsed.tzinfo is not None or not EARLIEST_S <= parsed.replace(tzinfo=UTC).timestamp() <= LATEST_S:
        raise Refusal("ERR_INVALID_PARAM_FORMAT", "A time is written YYYY-MM-DDTHH:MM:SS, from 2015 on.")
    return parsed


def _by_other_name(account_id: str, tag: str | None) -> int:
    """From where a client reads on that says ``afterTag``. The document has no such name, so it can do no harm."""
    try:
        return _sequence(account_id, tag) if tag else 0
    except Refusal:
        return 0


def _tag(account_id: str, sequence: int) -> str:
    body = sequence.to_bytes(8, "big")
    return base64.urlsafe_b64encode(_seal(account_id, body) + body).decode().rstrip("=")


def _sequence(account_id: str, tag: str) -> int:
    try:
        raw = base64.b64decode(tag + "=" * (-len(tag) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != 12 or raw[:4] != _seal(account_id, raw[4:]) or raw[4] > 127:  # more than a database counts to
        raise Refusal("ERR_INVALID_PARAM_FORMAT", "after_tag is not a tag that get_events gave.", "after_tag")
    return int.from_bytes(raw[4:], "big")


def _seal(account_id: str, body: bytes) -> bytes:
    """Not a secret: it tells a tag that was cut or belongs to another account from one that was given."""
    return hashlib.sha256(account_id.encode() + body).digest()[:4]
