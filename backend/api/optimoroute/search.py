"""Looking orders up: where one is scheduled, and searching many."""

import base64
import binascii
import datetime
import hashlib
from typing import Any, Literal
from zoneinfo import ZoneInfo

import msgspec

from backend.api.optimoroute import answers, wire
from backend.api.optimoroute.call import BULK, Answer, Call, method
from backend.domain.accounts import Role
from backend.domain.drafts import OrderName
from backend.domain.errors import Refusal
from backend.service import days, orders

LONGEST_DAYS = 35
# The statuses of an order, and one of the vendor's own that no order has here.
Wanted = Literal[
    "unscheduled", "scheduled", "on_route", "servicing", "success", "failed", "rejected", "cancelled", "unfinished"
]


class Search(msgspec.Struct, frozen=True, rename="camel"):
    """At least one of ``orders`` and ``date_range``; of both where both are given."""

    orders: list[Any] | None = None
    date_range: wire.DateRange | None = None
    order_status: list[Wanted] = []
    include_order_data: bool = False
    include_schedule_information: bool = False
    after_tag: wire.Key | None = msgspec.field(default=None, name="after_tag")

    def dates(self) -> tuple[str, str] | None:
        if self.date_range is None:
            return None
        first, last = self.date_range.bounds()
        if first is None or last is None:
            raise Refusal("ERR_MISSING_MAND_FIELD", "dateRange needs from and to.", "dateRange")
        length = datetime.date.fromisoformat(last) - datetime.date.fromisoformat(first)
        if not 0 <= length.days <= LONGEST_DAYS:
            text = f"dateRange spans at most {LONGEST_DAYS} days and does not end before it begins."
            raise Refusal("ERR_INVALID_PARAM_FORMAT", text, "dateRange")
        return first, last

    def names(self) -> list[OrderName] | None:
        if self.orders is None:
            return None
        if not 1 <= len(self.orders) <= BULK:
            raise Refusal("ERR_INVALID_PARAM_FORMAT", f"orders is a list of 1 to {BULK} objects.", "orders")
        found = [wire.order_name(item) for item in self.orders]
        for each in found:
            if isinstance(each, Refusal):
                raise each
        return [each for each in found if isinstance(each, OrderName)]


@method(
    "get_scheduling_info",
    "GET",
    roles=(Role.TENANT, Role.CUSTOMER, Role.SUBCONTRACTOR),
    query={"orderNo": "The order's number; this or id is needed.", "id": "The order's id."},
)
async def get_scheduling_info(call: Call) -> Answer:
    """Whether an order is scheduled, and where: `?orderNo=` or `?id=`."""
    name = OrderName(call.optional("id"), call.optional("orderNo"))
    if name.id is None and name.order_no is None:
        raise Refusal("ERR_MISSING_MAND_FIELD", "One of the parameters orderNo and id is missing.", "orderNo")
    wire.no_nul([name.id, name.order_no])
    (found,) = await orders.find(call.desk, call.office, [name])
    if isinstance(found, Refusal):
        raise found
    account = call.office.account
    where = (await days.schedules(call.desk, account, [found.record])).get(found.record.order.id)
    if where is None:
        return {"success": True, "orderScheduled": False}
    expected = (await days.live_estimates(call.desk, account, [found.record])).get(found.record.order.id)
    told = answers.schedule(where, ZoneInfo(account.settings.time_zone), expected)
    return {"success": True, "orderScheduled": True, "scheduleInformation": told}


@method("search_orders", "POST", roles=(Role.TENANT, Role.CUSTOMER), takes=Search)
async def search_orders(call: Call) -> Answer:
    """Orders by name, date and status, 500 a page; `after_tag` of an answer reads on with the same request."""
    wire.no_nul(call.body)
    asked = call.read(Search)
    names, dates = asked.names(), asked.dates()
    if names is None and dates is None:
        raise Refusal("ERR_MISSING_MAND_FIELD", "At least one of orders and dateRange is needed.", "orders")
    account = call.office.account
    after = _position(account.id, asked.after_tag) if asked.after_tag else None
    records = await orders.search(call.desk, call.office, names, dates, asked.order_status, after, BULK + 1)
    page, more = records[:BULK], len(records) > BULK
    parts: list[Answer] = [{"id": record.order.id} for record in page]
    if asked.include_order_data:
        for part, found in zip(parts, await orders.complete(call.desk, call.office, page), strict=True):
            part["data"] = answers.order(found, account.settings.proof_of_delivery)
    if asked.include_schedule_information:
        zone = ZoneInfo(account.settings.time_zone)
        where = await days.schedules(call.desk, account, page)
        expected = await days.live_estimates(call.desk, account, page)
        for part in parts:
            id_ = part["id"]
            part["scheduleInformation"] = (
                answers.schedule(where[id_], zone, expected.get(id_)) if id_ in where else None
            )
    answer: Answer = {"success": True, "orders": parts}
    return answer | ({"after_tag": _tag(account.id, page[-1].order.date, page[-1].order.id)} if more else {})


def _tag(account_id: str, date: str, order_id: str) -> str:
    body = f"{date}{order_id}".encode()
    return base64.urlsafe_b64encode(_seal(account_id, body) + body).decode()


def _position(account_id: str, tag: str) -> tuple[str, str]:
    try:
        raw = base64.b64decode(tag, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) < 15 or raw[:4] != _seal(account_id, raw[4:]):
        raise Refusal("ERR_INVALID_PARAM_FORMAT", "after_tag is not one that search_orders gave.", "after_tag")
    text = raw[4:].decode(errors="replace")
    return text[:10], text[10:]


def _seal(account_id: str, body: bytes) -> bytes:
    """Not a secret: it tells a tag that was cut or belongs to another account from one that was given."""
    return hashlib.sha256(account_id.encode() + body).digest()[:4]
