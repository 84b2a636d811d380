"""What happened: events, completion details."""

import base64
import binascii
import hashlib

from backend.api import events
from backend.api.completion import completion_out
from backend.api.optimoroute import wire
from backend.api.optimoroute.call import Answer, Call, failure, method
from backend.api.optimoroute.orders import named, order_name
from backend.domain.accounts import Role
from backend.domain.drafts import OrderName
from backend.domain.errors import Refusal
from backend.service import completions, history
from backend.service.completions import Completion

EVENTS = 500  # in one answer


@method("get_events", "GET")
async def get_events(call: Call) -> Answer:
    """Up to 500 events after `after_tag` (all, where it is left out), in order of arrival, and how many remain."""
    account_id = call.office.account.id
    tag = call.optional("after_tag")
    after = _sequence(account_id, tag) if tag else 0
    page = await history.since(call.desk, account_id, after, EVENTS)
    return {
        "success": True,
        "events": [events.event_out(event) for event in page.items],
        "tag": _tag(account_id, page.upto),
        "remainingEvents": page.remaining,
    }


@method("get_completion_details", "POST", "GET", roles=(Role.TENANT, Role.CUSTOMER, Role.SUBCONTRACTOR))
async def get_completion_details(call: Call) -> Answer:
    """What became of up to 500 orders. Body: `{"orders": [{"orderNo": "…"}, {"id": "…"}]}`; or GET `?orderNo=…`."""
    items = named(call)
    names = [order_name(item) for item in items]
    wanted = [each for each in names if isinstance(each, OrderName)]
    found = iter(await completions.of(call.desk, call.office, wanted))
    results = [each if isinstance(each, Refusal) else next(found) for each in names]
    parts = [_completed(call, item, each) for item, each in zip(items, results, strict=True)]
    return {"success": any(part["success"] for part in parts), "orders": parts}


def _completed(call: Call, item: object, result: Completion | Refusal) -> Answer:
    if isinstance(result, Refusal):
        return failure(result) | wire.echo(item, "orderNo", "id")
    return {"success": True} | wire.echo(item, "orderNo", "id") | {"data": completion_out(call.desk, result)}


def _tag(account_id: str, sequence: int) -> str:
    body = sequence.to_bytes(8, "big")
    return base64.urlsafe_b64encode(_seal(account_id, body) + body).decode().rstrip("=")


def _sequence(account_id: str, tag: str) -> int:
    try:
        raw = base64.b64decode(tag + "=" * (-len(tag) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != 12 or raw[:4] != _seal(account_id, raw[4:]):
        raise Refusal("ERR_INVALID_PARAM_FORMAT", "after_tag is not a tag that get_events gave.", "after_tag")
    return int.from_bytes(raw[4:], "big")


def _seal(account_id: str, body: bytes) -> bytes:
    """Not a secret: it tells a tag that was cut or belongs to another account from one that was given."""
    return hashlib.sha256(account_id.encode() + body).digest()[:4]
