"""Taking orders away: one, several, or a day."""

from typing import Annotated

import msgspec
from msgspec import Meta

from backend.api.optimoroute import wire
from backend.api.optimoroute.call import BULK, Answer, Call, convert, failure, method
from backend.domain.drafts import OrderName
from backend.domain.errors import Refusal
from backend.domain.plans import CannotPlan
from backend.service import removal


class One(msgspec.Struct, frozen=True, rename="camel"):
    """``force_delete`` lifts restrictions on a live plan, of which there are none here."""

    order_no: wire.Key | None = None
    id: wire.Key | None = None
    force_delete: bool = False


class Flags(msgspec.Struct, frozen=True, rename="camel"):
    delete_multiple: bool = False
    force_delete: bool = False


class Several(Flags, frozen=True, kw_only=True, rename="camel"):
    orders: Annotated[list[wire.OrderName], Meta(min_length=1, max_length=BULK)]


class Day(msgspec.Struct, frozen=True):
    date: str | None = None


@method("delete_order", "POST", takes=One)
async def delete_order(call: Call) -> Answer:
    """Removes one order. Body: `{"orderNo": "ORD001"}`."""
    wire.no_nul(call.body)
    given = call.read(One)
    if not given.order_no and not given.id:
        raise Refusal("ERR_MISSING_MAND_FIELD", "The field orderNo is missing.", "orderNo")
    name = OrderName(given.id or None, given.order_no or None)
    (answer,) = await removal.remove(call.desk, call.office, [name])
    return _failed(answer) if isinstance(answer, Refusal) else {"success": True}


@method("delete_orders", "POST", takes=Several)
async def delete_orders(call: Call) -> Answer:
    """Removes up to 500 orders. Body: `{"orders": [{"orderNo"} | {"id"}, …], "deleteMultiple": false}`."""
    items = call.items("orders")
    flags = convert(call.body, Flags)
    names = [wire.order_name(item) for item in items]
    wanted = [each for each in names if isinstance(each, OrderName)]
    gone = iter(await removal.remove(call.desk, call.office, wanted, multiple=flags.delete_multiple))
    answers = [each if isinstance(each, Refusal) else next(gone) for each in names]
    parts = [
        (_failed(answer) if isinstance(answer, Refusal) else {"success": True}) | wire.echo(item, "orderNo", "id")
        for item, answer in zip(items, answers, strict=True)
    ]
    return {"success": any(part["success"] for part in parts), "orders": parts}


@method("delete_all_orders", "POST", takes=Day)
async def delete_all_orders(call: Call) -> Answer:
    """Removes all orders and routes of a `date`, or of all dates where none is given."""
    date = call.read(Day).date
    try:
        await removal.remove_all(call.desk, call.office, None if date is None else wire.date(date))
    except CannotPlan as refusal:
        return _failed(refusal)
    return {"success": True}


def _failed(refusal: Refusal) -> Answer:
    running = refusal.planning_id if isinstance(refusal, CannotPlan) else None
    return failure(refusal) | ({"planningId": running} if running is not None else {})
