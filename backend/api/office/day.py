"""A day at the office: its orders, its routes, its plan, and what happens."""

from typing import Any

from litestar import Request, Response, get, post

from backend.api import auth, body
from backend.api.completion import completion_out
from backend.api.events import EventOut, event_out
from backend.api.office import answers
from backend.api.routewire import DayRouteOut, route_out
from backend.domain.accounts import Role
from backend.domain.errors import Refusal
from backend.domain.times import day
from backend.service import days, history, listing, plans

Call = Request[Any, Any, Any]

DATE = {"date": "The day, YYYY-MM-DD. (required)"}


@get("/api/routes", summary="The routes of a day", query=DATE, gives=body.Items[DayRouteOut])
async def get_routes(request: Call) -> Response[bytes]:
    """The plan as it was made last, with what has happened on it: every stop with its status, times and estimate."""
    caller = await auth.office(request, Role.TENANT, Role.VIEWER, Role.SUBCONTRACTOR)
    found = await days.day_routes(auth.desk_of(request), caller.account, _date(request))
    if caller.subcontractor is not None:
        found = [each for each in found if each.driver.subcontractor == caller.subcontractor]
    return body.reply(body.Items([route_out(each) for each in found]))


@get(
    "/api/orders",
    summary="The orders",
    query=body.PAGING | {"date": "Of this day alone.", "q": "What to look for."},
    gives=body.Page[answers.OrderOut],
)
async def get_orders(request: Call) -> Response[bytes]:
    """By day, or all. `q` searches order numbers, names of places and addresses."""
    caller = await auth.office(request, Role.TENANT, Role.CUSTOMER)
    desk, query = auth.desk_of(request), request.query_params
    date = day(query["date"], "date") if "date" in query else None
    limit = body.number(request, "limit", 100, 1, 500)
    found = await listing.orders(desk, caller, date, query.get("q", ""), query.get("cursor", ""), limit + 1)
    cursor = found[limit - 1].order.id if len(found) > limit else ""
    return body.reply(body.page([answers.order_out(each, desk.public_url) for each in found], limit, cursor))


@get("/api/orders/{order_id:str}", summary="An order, and what became of it", gives=answers.OrderDetailOut)
async def get_order(request: Call, order_id: str) -> Response[bytes]:
    """With times, positions, notes and links to photos once they are there. Watchers see no contact data."""
    caller = await auth.office(request, Role.TENANT, Role.VIEWER, Role.CUSTOMER)
    desk = auth.desk_of(request)
    found, completion = await listing.order(desk, caller, order_id)
    became = completion_out(desk, completion, plain=caller.role is not Role.TENANT)
    contact = caller.role is not Role.VIEWER
    return body.reply(answers.order_detail_out(found, desk.public_url, became, contact=contact))


@get(
    "/api/events",
    summary="What happened",
    query={"date": "On this day alone.", "limit": "1 to 500; 50 by default."},
    gives=body.Items[EventOut],
)
async def get_events(request: Call) -> Response[bytes]:
    """The last to arrive first."""
    caller = await auth.office(request, Role.TENANT, Role.VIEWER)
    date = day(request.query_params["date"], "date") if "date" in request.query_params else None
    limit = body.number(request, "limit", 50, 1, 500)
    found = await history.newest(auth.desk_of(request), caller.account, limit, date)
    return body.reply(body.Items([event_out(each) for each in found]))


@get("/api/plans/{date:str}", summary="The plan of a day", gives=answers.PlanOut)
async def get_plan(request: Call, date: str) -> Response[bytes]:
    """How much is planned, whether it was sent, and why an order has no place on it."""
    caller = await auth.office(request)
    return body.reply(answers.plan_out(await listing.plan(auth.desk_of(request), caller, day(date, "date"))))


@post(
    "/api/plans/{date:str}/send",
    status_code=200,
    summary="Send the plan of a day to the drivers",
    gives=answers.SentOut,
)
async def post_send(request: Call, date: str) -> Response[bytes]:
    """From then on it is the active plan: drivers see it, tracking links exist, events flow."""
    caller = await auth.office(request)
    sent = await plans.send(auth.desk_of(request), caller, day(date, "date"))
    return body.reply(answers.sent_out(date, sent))


def _date(request: Call) -> str:
    given = request.query_params.get("date")
    if given is None:
        raise Refusal("ERR_INVALID", "Say which day: ?date=YYYY-MM-DD.", "date")
    return day(given, "date")


handlers = [get_routes, get_orders, get_order, get_events, get_plan, post_send]
