"""The account's settings and keys, and the drivers' phones: pairing, devices, messages."""

from typing import Any

import msgspec
from litestar import Request, Response, delete, get, patch, post

from backend.api import auth, body
from backend.api.office import answers, wire
from backend.domain.accounts import Settings
from backend.domain.errors import Refusal
from backend.domain.times import iso, zone
from backend.service import identity, messages

Call = Request[Any, Any, Any]

_key = msgspec.json.Decoder(wire.KeyIn)
_message = msgspec.json.Decoder(wire.MessageIn)
_changes = msgspec.json.Decoder(dict[str, Any])


@get("/api/settings", summary="The account's settings", gives=Settings)
async def get_settings(request: Call) -> Response[bytes]:
    caller = await auth.office(request)
    return body.reply(_settings_out(request, caller.account.settings))


@patch("/api/settings", summary="Change settings", takes=Settings, gives=Settings)
async def patch_settings(request: Call) -> Response[bytes]:
    """What is named is changed; in `proofOfDelivery` too. `orderTracking` takes true and false, or "on" and "off"."""
    caller = await auth.office(request)
    given = await body.read(request, _changes)
    if isinstance(given.get("orderTracking"), str):
        given["orderTracking"] = {"on": True, "off": False}.get(given["orderTracking"], given["orderTracking"])
    settings = await identity.change_settings(auth.desk_of(request), caller, lambda old: _changed(old, given))
    return body.reply(_settings_out(request, settings))


def _changed(old: Settings, given: dict[str, Any]) -> Settings:
    """The settings with the changes in. Refuses unknown names and values that do not fit, by name."""
    try:
        settings = msgspec.convert(_overlaid(msgspec.to_builtins(old), given, ""), Settings)
    except msgspec.ValidationError as error:
        raise body.misfit(error, Settings) from error
    zone(settings.time_zone)
    return settings


def _overlaid(old: dict[str, Any], given: dict[str, Any], where: str) -> dict[str, Any]:
    result = dict(old)
    for name, value in given.items():
        if name not in old:
            raise Refusal("ERR_INVALID", f"There is no setting {name!r}; there are {', '.join(old)}.", where + name)
        nested = isinstance(old[name], dict) and isinstance(value, dict)
        result[name] = _overlaid(old[name], value, f"{where}{name}.") if nested else value
    return result


def _settings_out(request: Call, settings: Settings) -> dict[str, Any]:
    shown: dict[str, Any] = msgspec.to_builtins(settings)
    if settings.max_concurrent_requests is None:
        shown["maxConcurrentRequests"] = auth.desk_of(request).settings.max_concurrent_requests
    return shown


@post("/api/keys", summary="Create an API key", takes=wire.KeyIn, gives=answers.KeyMade)
async def post_key(request: Call) -> Response[bytes]:
    """The key itself is in this answer only, and cannot be read again."""
    caller = await auth.office(request)
    given = await body.read(request, _key)
    made, secret = await identity.create_key(
        auth.desk_of(request), caller, given.role, given.name, given.customer, given.subcontractor
    )
    return body.reply(answers.KeyMade(id=made.key_id, role=made.role, name=given.name, key=secret), 201)


@get("/api/keys", summary="The API keys", query=body.PAGING, gives=body.Page[identity.KnownKey])
async def get_keys(request: Call) -> Response[bytes]:
    caller = await auth.office(request)
    limit = body.number(request, "limit", 100, 1, 500)
    found = await identity.keys(auth.desk_of(request), caller, request.query_params.get("cursor", ""), limit + 1)
    return body.reply(body.page(found, limit, found[limit - 1].id if len(found) > limit else ""))


@delete("/api/keys/{key_id:str}", status_code=204, summary="Take an API key back")
async def delete_key(request: Call, key_id: str) -> None:
    """At once; what the key holds open is closed."""
    await identity.revoke_key(auth.desk_of(request), await auth.office(request), key_id)


@post(
    "/api/drivers/{driver_id:str}/pairing",
    summary="A code that pairs a phone with the driver",
    gives=answers.PairingOut,
)
async def post_pairing(request: Call, driver_id: str) -> Response[bytes]:
    """Good once, for 15 minutes."""
    caller, desk = await auth.office(request), auth.desk_of(request)
    code, expires_ms = await identity.start_pairing(desk, caller, driver_id)
    url = f"{desk.public_url}/pair?code={code}"
    return body.reply(answers.PairingOut(code=code, expires_at=iso(expires_ms), url=url), 201)


@get("/api/drivers/{driver_id:str}/devices", summary="The driver's phones", gives=body.Items[identity.PairedPhone])
async def get_devices(request: Call, driver_id: str) -> Response[bytes]:
    caller = await auth.office(request)
    return body.reply(body.Items(await identity.devices(auth.desk_of(request), caller, driver_id)))


@delete("/api/devices/{device_id:str}", status_code=204, summary="Sign a phone out")
async def delete_device(request: Call, device_id: str) -> None:
    """At once; its token is worth nothing any more."""
    await identity.revoke_device(auth.desk_of(request), await auth.office(request), device_id)


@post(
    "/api/drivers/{driver_id:str}/messages", summary="Write to a driver", takes=wire.MessageIn, gives=messages.Message
)
async def post_message(request: Call, driver_id: str) -> Response[bytes]:
    caller, given = await auth.office(request), await body.read(request, _message)
    sent = await messages.to_driver(auth.desk_of(request), caller, driver_id, given.text)
    return body.reply(sent, 201)


@get(
    "/api/drivers/{driver_id:str}/messages",
    summary="What was written to and by a driver",
    query=body.PAGING,
    gives=body.Page[messages.Message],
)
async def get_messages(request: Call, driver_id: str) -> Response[bytes]:
    """Oldest first."""
    caller = await auth.office(request)
    limit = body.number(request, "limit", 100, 1, 500)
    after = body.number(request, "cursor", 0, 0, 10**9 - 1)
    found = await messages.of_driver(auth.desk_of(request), caller, driver_id, after, limit + 1)
    cursor = str(found[limit - 1][0]) if len(found) > limit else ""
    return body.reply(body.page([message for _, message in found], limit, cursor))


handlers = [
    get_settings,
    patch_settings,
    post_key,
    get_keys,
    delete_key,
    post_pairing,
    get_devices,
    delete_device,
    post_message,
    get_messages,
]
