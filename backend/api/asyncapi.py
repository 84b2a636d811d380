"""The AsyncAPI 3 document of the websockets, generated from the types that they decode and encode."""

from typing import Any
from urllib.parse import urlsplit

import msgspec
from litestar import Request, Response, get

from backend.api import auth, driver_socket, intake, live, recipient
from backend.api.events import EventOut
from backend.service.watch import frames

_SCHEMA = "#/components/schemas/{name}"
_CODES = (
    "Close codes: 4401 not allowed (do not come back with the same credentials), 4404 no such thing, 4408 too slow "
    "(come back and take a new snapshot), 4409 replaced or taken back, 4429 too many, 1009 a frame too large, "
    "1008 too many frames, 1013 not now (come back later), 1012 the server restarts (come back after the "
    "`retryInMs` of the `drain` message)."
)


class Channel(msgspec.Struct, frozen=True):
    """One websocket: what the client sends (``up``) and what the server sends (``down``)."""

    address: str
    description: str
    up: tuple[type, ...]
    down: tuple[type, ...]
    parameters: dict[str, str] = {}
    key_in_query: bool = False


CHANNELS = {
    "live": Channel(
        "/live",
        "The live map of a fleet, for a tenant's or a viewer's key. Up to 20 subscriptions; the same id again replaces "
        f"the earlier one. Messages up to 64 KiB, 20 a second. {_CODES}",
        (live.Subscribe, live.Unsubscribe),
        (
            frames.Snapshot,
            frames.Positions,
            frames.EventFrame,
            frames.PlanChanged,
            frames.Alive,
            frames.Drain,
            frames.Error,
        ),
        key_in_query=True,
    ),
    "recipient": Channel(
        "/t/{tracking}/live",
        "One order for the person it is for: its state at once, and whenever it changes, at most once a second. The "
        f"tracking code is the key. {_CODES}",
        (),
        (recipient.State, frames.Alive, frames.Drain, frames.Error),
        parameters={"tracking": "The code of the order's tracking link."},
    ),
    "driver": Channel(
        "/driver/v1/ws",
        "A driver's phone, with its device token: the messages of the HTTP API on one socket. An `ack` comes after "
        "what it acknowledges is on the disk. Text messages are JSON; binary ones MessagePack, where the subprotocol "
        f"`codriver.v1.msgpack` was agreed. Messages up to 1 MiB. {_CODES}",
        (intake.PositionsFrame, intake.ActionsFrame, intake.MessageFrame),
        (
            driver_socket.Recorded,
            driver_socket.Acted,
            driver_socket.Taken,
            driver_socket.RouteNews,
            driver_socket.MessageNews,
            frames.Drain,
            driver_socket.Error,
        ),
    ),
}


SECURITY = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key, or a phone's token. A browser offers the subprotocols `codriver.v1.json` and "
        "`bearer.<key>` instead.",
    },
    "header": {"type": "httpApiKey", "in": "header", "name": "X-API-Key"},
    "query": {"type": "httpApiKey", "in": "query", "name": "key"},
}


def document(public_url: str) -> dict[str, Any]:
    """The whole document, for a server that is reached at this address."""
    address = urlsplit(public_url)
    types = sorted(
        {EventOut, *(each for channel in CHANNELS.values() for each in (*channel.up, *channel.down))}, key=repr
    )
    references, schemas = msgspec.json.schema_components(types, ref_template=_SCHEMA)
    schema_of = dict(zip(types, references, strict=True))
    told = schemas[schema_of[frames.EventFrame]["$ref"].rsplit("/", 1)[1]]
    told["properties"]["event"] = schema_of[EventOut]  # on its way it is bytes that were encoded before
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Codriver",
            "version": "1",
            "description": "The websockets of Codriver. The HTTP API is described by `/schema/openapi.json`.",
        },
        "defaultContentType": "application/json",
        "servers": {
            "here": {
                "host": address.netloc,
                "pathname": address.path or "/",
                "protocol": "wss" if address.scheme == "https" else "ws",
                "security": [
                    {"$ref": f"#/components/securitySchemes/{name}"} for name in ("bearer", "header", "query")
                ],
            }
        },
        "channels": {name: _channel(channel) for name, channel in CHANNELS.items()},
        "operations": dict(operation for name, channel in CHANNELS.items() for operation in _operations(name, channel)),
        "components": {
            "messages": {
                _name(each): {"name": _tag(each), "summary": _summary(each), "payload": schema_of[each]}
                for each in types
                if each is not EventOut
            },
            "schemas": schemas,
            "securitySchemes": SECURITY,
        },
    }


def _channel(channel: Channel) -> dict[str, Any]:
    told: dict[str, Any] = {
        "address": channel.address,
        "description": channel.description,
        "messages": {
            _name(each): {"$ref": f"#/components/messages/{_name(each)}"} for each in (*channel.up, *channel.down)
        },
        "bindings": {"ws": {"method": "GET", "bindingVersion": "0.1.0"}},
    }
    if channel.parameters:
        told["parameters"] = {name: {"description": text} for name, text in channel.parameters.items()}
    if channel.key_in_query:
        query = {"type": "object", "properties": {"key": {"type": "string", "description": "An API key."}}}
        told["bindings"]["ws"]["query"] = query
    return told


def _operations(name: str, channel: Channel) -> list[tuple[str, dict[str, Any]]]:
    """From the server's side: it receives what goes up."""
    told = []
    for action, types in (("receive", channel.up), ("send", channel.down)):
        if types:
            messages = [{"$ref": f"#/channels/{name}/messages/{_name(each)}"} for each in types]
            operation = {"action": action, "channel": {"$ref": f"#/channels/{name}"}, "messages": messages}
            told.append((f"{action}{name.title()}", operation))
    return told


def _name(type_: type) -> str:
    """Unique among all messages: two sockets may have an ``Error`` each."""
    return f"{type_.__module__.rsplit('.', 1)[1]}.{type_.__name__}"


def _tag(type_: type) -> str:
    info = msgspec.inspect.type_info(type_)
    assert isinstance(info, msgspec.inspect.StructType)
    return str(info.tag)


def _summary(type_: type) -> str:
    return " ".join((type_.__doc__ or "").split())


@get("/schema/asyncapi.json", include_in_schema=False, sync_to_thread=False)
def asyncapi(request: Request[Any, Any, Any]) -> Response[bytes]:
    """The AsyncAPI document."""
    told = document(auth.desk_of(request).public_url)
    return Response(msgspec.json.encode(told), media_type="application/json")


handlers = [asyncapi]
