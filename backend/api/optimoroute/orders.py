"""Orders: create or update, get."""

from collections.abc import Sequence
from typing import Any

from backend.api.optimoroute import answers, wire
from backend.api.optimoroute.call import BULK, Answer, Call, failure, method
from backend.domain import geocoding
from backend.domain.accounts import ProofPolicy, Role
from backend.domain.drafts import OrderName
from backend.domain.errors import Refusal
from backend.service import geocoding as saving
from backend.service import orders
from backend.service.orders import Found, Saved


@method("create_order", "POST", roles=(Role.TENANT, Role.CUSTOMER), takes=wire.SingleOrder)
async def create_order(call: Call) -> Answer:
    """Creates or updates one order; `operation` is mandatory. An address is looked up where nothing else says where."""
    wire.no_nul(call.body)
    saved = await saving.save(call.desk, call.office, wire.single_order(call.body).draft())
    if isinstance(saved, Refusal):
        matches = saved.matches if isinstance(saved, geocoding.Unplaced) else ()
        return failure(saved) | answers.geocoding_results(matches)
    answer: Answer = {"success": True, "id": saved.order.id, "location": answers.location(saved.location)}
    if saved.lookup is None:
        return answer
    warned = geocoding.caution(saved.lookup)
    said = {"code": warned[0], "message": warned[1]} if warned else {}
    return answer | said | answers.geocoding_results(saved.lookup.matches)


@method("create_or_update_orders", "POST", roles=(Role.TENANT, Role.CUSTOMER), takes=wire.Orders)
async def create_or_update_orders(call: Call) -> Answer:
    """Creates, updates or replaces up to 500 orders, each by itself. Body: `{"orders": [Order, …]}`."""
    items = call.items("orders")
    drafts = [wire.order_draft(item) for item in items]
    saved = await orders.save(call.desk, call.office, drafts)
    parts = [_saved(item, each) for item, each in zip(items, saved, strict=True)]
    return {"success": any(part["success"] for part in parts), "orders": parts}


@method(
    "get_orders",
    "POST",
    "GET",
    roles=(Role.TENANT, Role.CUSTOMER, Role.SUBCONTRACTOR),
    takes=wire.OrderNames,
    query=wire.ORDER_NUMBERS,
)
async def get_orders(call: Call) -> Answer:
    """Up to 500 orders. Body: `{"orders": [{"orderNo": "…"}, {"id": "…"}]}`; or a GET with `?orderNo=…&orderNo=…`."""
    items = named(call)
    found = await find(call, items)
    policy = call.office.account.settings.proof_of_delivery
    parts = [_got(item, each, policy) for item, each in zip(items, found, strict=True)]
    return {"success": any(part["success"] for part in parts), "orders": parts}


def named(call: Call) -> list[Any]:
    """The orders that a bulk call names: in its body, or by repeated ``orderNo`` in the address of a GET."""
    if call.verb != "GET":
        return call.items("orders")
    numbers = [number for number in call.query.get("orderNo", []) if number]
    if not numbers:
        raise Refusal("ERR_MISSING_MAND_FIELD", "The parameter orderNo is missing.", "orderNo")
    if len(numbers) > BULK:
        raise Refusal("ERR_INVALID_PARAM_FORMAT", f"At most {BULK} orders in one call.", "orderNo")
    return [{"orderNo": number} for number in numbers]


async def find(call: Call, items: Sequence[object]) -> list[Found | Refusal]:
    """The orders that these items name, one answer each."""
    names = [wire.order_name(item) for item in items]
    found = iter(await orders.find(call.desk, call.office, [each for each in names if isinstance(each, OrderName)]))
    return [each if isinstance(each, Refusal) else next(found) for each in names]


def _saved(item: object, saved: Saved | Refusal) -> Answer:
    if isinstance(saved, Refusal):
        of_location = {"locationNo": saved.where} if saved.code.startswith("ERR_LOC") and saved.where else {}
        return failure(saved) | wire.echo(item, "orderNo", "id") | of_location
    number = {"orderNo": saved.order.order_no} if saved.order.order_no else {}
    return {"success": True, "id": saved.order.id} | number


def _got(item: object, found: Found | Refusal, policy: ProofPolicy) -> Answer:
    if isinstance(found, Refusal):
        return failure(found) | wire.echo(item, "orderNo", "id")
    return {"success": True, "id": found.record.order.id, "data": answers.order(found, policy)}
