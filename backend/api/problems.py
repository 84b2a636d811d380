"""Errors on Codriver's own APIs: ``application/problem+json`` (RFC 9457) with a stable ``code``.

This is the only place where a code becomes an HTTP status. Any exception that is not a refusal is a bug: logged with
its trace, answered without detail.
"""

import logging
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import (
    ClientException,
    HTTPException,
    InternalServerException,
    MethodNotAllowedException,
    NotFoundException,
)

from backend.domain.errors import Refusal

log = logging.getLogger("codriver.api")

STATUSES = {
    "ERR_UNAUTHENTICATED": 401,
    "ERR_FORBIDDEN": 403,
    "ERR_LINK": 403,
    "ERR_NOT_FOUND": 404,
    "ERR_ORDER_NOT_FOUND": 404,
    "ERR_METHOD_NOT_ALLOWED": 405,
    "ERR_ATTACHMENT_ID_REUSED": 409,
    "ERR_CONFLICT": 409,
    "ERR_ACCOUNT_EXISTS": 409,
    "ERR_UPLOAD_OFFSET": 409,
    "ERR_TUS_VERSION": 412,
    "ERR_TOO_LARGE": 413,
    "ERR_MEDIA_TYPE": 415,
    "ERR_UPLOAD_TAKEN": 423,
    "ERR_TOO_MANY_GUESSES": 429,
    "ERR_CHUNK_CHECKSUM": 460,
    "ERR_CUT_OFF": 499,  # the client is gone: only the log shows it
    "ERR_OVERLOADED": 503,
    "ERR_UNAVAILABLE": 503,
    "ERR_STORAGE": 503,
    "ERR_STORAGE_FULL": 507,
}
RETRY_AFTER_S = {
    "ERR_TOO_MANY_GUESSES": "60",
    "ERR_OVERLOADED": "2",
    "ERR_UNAVAILABLE": "5",
    "ERR_STORAGE": "5",
    "ERR_STORAGE_FULL": "30",
}
BUG = Refusal("ERR_INTERNAL", "Something went wrong in the server; the error has been logged.")
"""What each dialect says of a bug; its trace is in the log."""
_TITLES = {
    400: "Invalid request",
    401: "Not signed in",
    403: "Not allowed",
    404: "Not found",
    405: "Wrong method",
    409: "Conflict with stored data",
    412: "Unsupported protocol version",
    413: "Too large",
    415: "Wrong media type",
    423: "Locked by another request",
    429: "Too many requests",
    460: "Checksum mismatch",
    499: "Client closed the connection",
    500: "Internal error",
    503: "Temporarily unavailable",
    507: "Out of storage",
}


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """The body of every answer that is not a success. ``where`` names the field, header or index."""

    title: str
    status: int
    detail: str
    code: str
    type: str = "about:blank"
    where: str | None = None


def answer(refusal: Refusal) -> Response[bytes]:
    """The answer to a refusal."""
    status = STATUSES.get(refusal.code, 400)
    headers = {"Retry-After": RETRY_AFTER_S[refusal.code]} if refusal.code in RETRY_AFTER_S else {}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return _response(Problem(_TITLES[status], status, refusal.text, refusal.code, where=refusal.where), headers)


def on_refusal(request: Request[Any, Any, Any], refusal: Refusal) -> Response[bytes]:
    """Exception handler for refusals. The server's own log has a line for each answer that is not a success."""
    _count(request, refusal.code)
    return answer(refusal)


def on_http_error(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """Exception handler for errors that the framework raised, in our own words."""
    match error:
        case NotFoundException():
            return on_refusal(request, Refusal("ERR_NOT_FOUND", "There is nothing at this path."))
        case MethodNotAllowedException():
            text = f"This path does not take {request.method}."
            refused = on_refusal(request, Refusal("ERR_METHOD_NOT_ALLOWED", text))
            refused.headers.update(error.headers or {})
            return refused
        case _ if error.status_code == 413:
            return on_refusal(request, Refusal("ERR_TOO_LARGE", "The body is larger than this path allows."))
        case _ if is_cut_off(error):
            return answer(Refusal("ERR_CUT_OFF", "The connection was closed before the whole body had arrived."))
        case ClientException():
            return on_refusal(request, Refusal("ERR_MALFORMED", "The request could not be read."))
        case _ if error.status_code < 500:
            _count(request, "ERR_REFUSED")
            title = _TITLES.get(error.status_code, "Invalid request")
            return _response(Problem(title, error.status_code, "The request was refused.", "ERR_REFUSED"))
    return on_bug(request, error)


def is_cut_off(error: HTTPException) -> bool:
    """Whether the client disconnected in the middle of a body, which the framework reports as an internal error."""
    return isinstance(error, InternalServerException) and error.detail == "client disconnected prematurely"


def on_bug(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Exception handler for everything else: a bug of ours."""
    _count(request, BUG.code)
    route = request.scope.get("path_template") or "(no route)"  # the path itself may hold a recipient's code
    log.error("bug in %s %s", request.method, route, exc_info=error)
    return _response(Problem(_TITLES[500], 500, BUG.text, BUG.code))


def _count(request: Request[Any, Any, Any], code: str) -> None:
    request.app.state.desk.tally.refuse(code)


def _response(problem: Problem, headers: dict[str, str] | None = None) -> Response[bytes]:
    body = msgspec.json.encode(problem)
    return Response(body, status_code=problem.status, headers=headers, media_type="application/problem+json")
