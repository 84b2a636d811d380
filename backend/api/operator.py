"""What ``codriver account`` and ``codriver fleet`` ask of a server that holds the data folder they are to work on.

For the operator alone: the token follows from the secret that lies in the data folder, readable for its owner only.
"""

import hmac
from typing import Any

import msgspec
from litestar import Request, Response, post, put

from backend.api import auth, body
from backend.api.office.fleet import declared
from backend.api.office.wire import FleetIn
from backend.domain.errors import Refusal
from backend.service import fleet, identity

Call = Request[Any, Any, Any]


class AccountIn(msgspec.Struct, frozen=True):
    name: str
    key: str | None = None


_account = msgspec.json.Decoder(AccountIn)
_fleet = msgspec.json.Decoder(FleetIn)


@post("/operator/accounts", include_in_schema=False)
async def post_account(request: Call) -> Response[bytes]:
    _check(request)
    given = await body.read(request, _account)
    company, key = await identity.create_account(auth.desk_of(request), given.name, given.key)
    return body.reply({"id": company.id, "name": company.name, "key": key}, 201)


@put("/operator/fleet", include_in_schema=False)
async def put_fleet(request: Call) -> Response[bytes]:
    _check(request)
    caller = await identity.owner(auth.desk_of(request), request.query_params.get("account", ""))
    document = declared(await body.read(request, _fleet))
    return body.reply(await fleet.declare(auth.desk_of(request), caller, document))


def _check(request: Call) -> None:
    wanted = identity.operator_token(auth.desk_of(request).secret)
    given = auth.presented(request) or ""
    if not hmac.compare_digest(given.encode("utf-8", "surrogatepass"), wanted.encode()):
        raise Refusal("ERR_UNAUTHENTICATED", "This is for the operator of this server.")


handlers = [post_account, put_fleet]
