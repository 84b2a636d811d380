"""Skills and vehicle features one by one; the fleet document declares them by their codes."""

from typing import Any

import msgspec
from litestar import Request, Response, delete, get, post

from backend.api import auth, body
from backend.api.office.wire import CodeIn
from backend.domain.drivers import Code, CodeKind
from backend.service import codes

Call = Request[Any, Any, Any]

_code = msgspec.json.Decoder(CodeIn)


@get("/api/skills", summary="The skills", query=body.PAGING, gives=body.Page[Code])
async def get_skills(request: Call) -> Response[bytes]:
    return await _page(request, CodeKind.SKILL)


@post("/api/skills", summary="Create a skill", takes=CodeIn, gives=Code)
async def post_skill(request: Call) -> Response[bytes]:
    """Without looking for an existing one: two may have the same `code`, and then no order can ask for it."""
    return await _add(request, CodeKind.SKILL)


@delete("/api/skills/{code_id:str}", status_code=204, summary="Delete a skill")
async def delete_skill(request: Call, code_id: str) -> None:
    await codes.remove(auth.desk_of(request), await auth.office(request), CodeKind.SKILL, code_id)


@get("/api/vehicle-features", summary="The vehicle features", query=body.PAGING, gives=body.Page[Code])
async def get_features(request: Call) -> Response[bytes]:
    return await _page(request, CodeKind.VEHICLE_FEATURE)


@post("/api/vehicle-features", summary="Create a vehicle feature", takes=CodeIn, gives=Code)
async def post_feature(request: Call) -> Response[bytes]:
    """Without looking for an existing one: two may have the same `code`, and then no order can ask for it."""
    return await _add(request, CodeKind.VEHICLE_FEATURE)


@delete("/api/vehicle-features/{code_id:str}", status_code=204, summary="Delete a vehicle feature")
async def delete_feature(request: Call, code_id: str) -> None:
    await codes.remove(auth.desk_of(request), await auth.office(request), CodeKind.VEHICLE_FEATURE, code_id)


async def _page(request: Call, kind: CodeKind) -> Response[bytes]:
    caller = await auth.office(request)
    limit = body.number(request, "limit", 100, 1, 500)
    found = await codes.listed(auth.desk_of(request), caller, kind, request.query_params.get("cursor", ""), limit + 1)
    cursor = found[limit - 1].id if len(found) > limit else ""
    return body.reply(body.page(found, limit, cursor))


async def _add(request: Call, kind: CodeKind) -> Response[bytes]:
    caller = await auth.office(request)
    given = await body.read(request, _code)
    made = await codes.add(auth.desk_of(request), caller, kind, given.code, given.name or given.code)
    return body.reply(made, 201)


handlers = [get_skills, post_skill, delete_skill, get_features, post_feature, delete_feature]
