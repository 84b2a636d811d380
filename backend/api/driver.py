"""``/driver/v1`` over HTTP: the API of drivers' phones, which authenticate with their device token."""

import hashlib
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get, post
from litestar.openapi.datastructures import ResponseSpec
from msgspec import Meta

from backend.api import auth, body, intake
from backend.api.driver_day import DriverDayOut, driver_day_out
from backend.api.intake import ActionBatch, MessageIn, PositionBatch
from backend.api.straight import Connection, straight
from backend.domain.accounts import Device
from backend.domain.drivers import Driver
from backend.domain.events import NO_NUL
from backend.domain.times import day
from backend.service import field, identity, messages
from backend.service.settle import Outcome

Call = Request[Any, Any, Any]
Short = Annotated[str, Meta(max_length=200, pattern=NO_NUL)]


class Phone(msgspec.Struct, frozen=True, rename="camel"):
    """The phone, as the app describes it."""

    platform: Short = ""
    model: Short = ""
    app_version: Short = ""


class PairIn(msgspec.Struct, frozen=True):
    """The code that the office gave the driver."""

    code: Annotated[str, Meta(min_length=1, max_length=64)]
    device: Phone = Phone()


class PairedDriver(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    id: str
    name: str
    external_id: str | None = None
    serial: str = ""


class PairedAccount(msgspec.Struct, frozen=True, rename="camel"):
    id: str
    name: str
    time_zone: str
    strict_stop_order: bool


class Paired(msgspec.Struct, frozen=True):
    """``token`` is in this answer only, and cannot be read again."""

    token: str
    driver: PairedDriver
    account: PairedAccount


class Outcomes(msgspec.Struct, frozen=True):
    actions: list[Outcome]


class MessageTaken(msgspec.Struct, frozen=True, omit_defaults=True):
    id: str
    duplicate: bool = False


AT_ONCE = {b"/driver/v1/positions": 56, b"/driver/v1/actions": 2000}
"""How many requests that wait for the processor let another in; beyond, 503 before anything else is done with it. One
of a hundred positions takes a fifth of a millisecond, so that the last of these has waited for some ten; actions are
few, and more is lost where they come late."""
STREAMED = (b"/driver/v1/attachments", b"/driver/v1/uploads")
"""Whose bodies go to the disk while they arrive."""
DATE = {"date": "A date like 2026-03-02; today in the account's time zone where it is left out"}
_pair = msgspec.json.Decoder(PairIn)
_message = msgspec.json.Decoder(MessageIn)


@post(
    "/driver/v1/pair", summary="Pair a phone with a driver", security=[{}], status_code=200, takes=PairIn, gives=Paired
)
async def pair(request: Call) -> Response[bytes]:
    """Exchanges the pairing code from the office for a device token. A code works once, for 15 minutes.

    Ten wrong codes from one address: 429 with `Retry-After`.
    """
    asked = await body.read(request, _pair)
    desk, phone = auth.desk_of(request), asked.device
    address = request.client.host if request.client else ""
    device, token = await identity.pair(
        desk, address, asked.code, platform=phone.platform, model=phone.model, app_version=phone.app_version
    )
    return body.reply(paired(device, await field.driver(desk, device), token))


def paired(device: Device, driver: Driver, token: str) -> Paired:
    account = device.account
    return Paired(
        token,
        PairedDriver(driver.id, driver.name, driver.external_id, driver.serial),
        PairedAccount(account.id, account.name, account.settings.time_zone, account.settings.strict_stop_order),
    )


@get(
    "/driver/v1/route",
    summary="The driver's route of a day",
    gives=DriverDayOut,
    query=DATE,
    responses={304: ResponseSpec(None, description="Not changed since the phone fetched it")},
)
async def get_route(request: Call) -> Response[bytes]:
    """The driver's sent route on `date` (default: today in the account's time zone), stops in order.

    `route` is null where there is none. Answers 304 to an `If-None-Match` with the current `ETag`.
    """
    device = await auth.device(request)
    asked = request.query_params.get("date")
    date, route = await field.driver_day(auth.desk_of(request), device, day(asked, "date") if asked else None)
    answer = msgspec.json.encode(driver_day_out(date, route, device.account))
    etag = f'"{hashlib.sha256(answer).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Cache-Control": "private, no-cache"}
    if _matches(request.headers.get("if-none-match"), etag):
        return Response(b"", status_code=304, headers=headers)
    return Response(answer, headers=headers, media_type="application/json")


def _matches(header: str | None, etag: str) -> bool:
    """Whether ``If-None-Match`` has this tag. RFC 9110, 13.1.2: a list of tags, also weak ones, or a star."""
    return header is not None and any(each.strip().removeprefix("W/") in (etag, "*") for each in header.split(","))


async def _record(connection: Connection, read: Callable[[], Awaitable[bytes]]) -> bytes:
    desk, device = auth.desk_of(connection), await auth.device(connection)
    field.admit(desk)
    recorded = await field.record(desk, device, *intake.JSON.positions(await read()))
    return msgspec.json.encode(recorded)


@post(
    "/driver/v1/positions",
    summary="Send positions",
    status_code=200,
    takes=PositionBatch,
    gives=field.Recorded,
    middleware=[straight(_record)],
)
async def post_positions(request: Call) -> Response[bytes]:
    """1 to 1000 positions, in any order and of any age: `{"positions": [{"timestamp", "latitude", "longitude", …}]}`.

    A bad one is rejected alone, by index and code; the rest is stored, each once however often it is sent.
    """
    return Response(await _record(request, request.body), media_type="application/json")


@post("/driver/v1/actions", summary="Report actions", status_code=200, takes=ActionBatch, gives=Outcomes)
async def post_actions(request: Call) -> Response[bytes]:
    """1 to 200 actions: `{"actions": [{"id", "action", "timestamp", …}]}`; one answer per action, in order.

    Each is stored once however often it is sent, and none is refused for coming in the wrong order.
    """
    device = await auth.device(request)
    field.admit(auth.desk_of(request))
    actions = intake.JSON.actions(await request.body())
    return body.reply(Outcomes(await field.act(auth.desk_of(request), device, actions)))


@post("/driver/v1/messages", summary="Write to the office", status_code=200, takes=MessageIn, gives=MessageTaken)
async def post_message(request: Call) -> Response[bytes]:
    """`{"id", "text"}`; the same id again is stored once."""
    device = await auth.device(request)
    message = await body.read(request, _message)
    fresh = await messages.from_driver(auth.desk_of(request), device, message.id, message.text)
    return body.reply(MessageTaken(message.id, duplicate=not fresh))


@get(
    "/driver/v1/messages", summary="What office and driver wrote", query=body.PAGING, gives=body.Page[messages.Message]
)
async def get_messages(request: Call) -> Response[bytes]:
    """In order of arrival, from behind `cursor`."""
    device = await auth.device(request)
    limit = body.number(request, "limit", 100, 1, 500)
    after = body.number(request, "cursor", 0, 0, 999_999_999)
    found = await messages.of_driver(auth.desk_of(request), device, device.driver_id, after, limit + 1)
    cursor = str(found[limit - 1][0]) if len(found) > limit else ""
    return body.reply(body.page([message for _, message in found], limit, cursor))


handlers = [pair, get_route, post_positions, post_actions, post_message, get_messages]
