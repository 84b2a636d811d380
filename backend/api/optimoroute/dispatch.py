"""Sending: methods that the vendor added after the document, as public descriptions of them have it."""

from datetime import UTC, datetime

import msgspec

from backend.api.optimoroute import wire
from backend.api.optimoroute.call import Answer, Call, method
from backend.service import dispatch, plans


class Send(msgspec.Struct, frozen=True, rename="camel"):
    """The body of send_routes. Nobody is notified by Codriver, whatever ``send_notifications`` says."""

    date: str
    send_notifications: bool = True


@method("send_routes", "POST", takes=Send)
async def send_routes(call: Call) -> Answer:
    """Sends the routes of a `date` to the drivers: they are the live ones then. Body: `{"date": "2026-03-02"}`."""
    await plans.send(call.desk, call.office, wire.date(call.read(Send).date), only_news=True)
    return {"success": True}


@method(
    "get_dispatch_status",
    "GET",
    query={
        "date": "The day, YYYY-MM-DD; the one whose routes were sent last, where it is left out.",
        "includeRouteChanges": "true adds routeChanges: how many routes the drivers do not have like this.",
    },
)
async def get_dispatch_status(call: Call) -> Answer:
    """Whether the routes of a day were sent to the drivers, when, and whether they are the live ones."""
    date, with_changes = call.optional("date"), call.flag("includeRouteChanges")
    found = await dispatch.status(call.desk, call.office, date and wire.date(date))
    answer: Answer = {
        "success": True,
        **({"date": found.date} if found.date else {}),
        "live": found.live,
        "routes": {"state": "not_sent"}
        if found.sent_ms is None
        else {"state": "sent", "sentAtUtc": _utc(found.sent_ms)},
        "notifications": {"state": "not_sent"},
    }
    return answer | ({"routeChanges": found.changes} if with_changes else {})


def _utc(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms // 1000, UTC):%Y-%m-%dT%H:%M:%S}"
