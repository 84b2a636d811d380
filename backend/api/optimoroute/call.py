"""What all methods share: who calls, how many at once, reading what came, and an answer that is always 200 and JSON."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import msgspec
from litestar import Request, Response, route
from litestar.enums import HttpMethod
from litestar.exceptions import HTTPException, MethodNotAllowedException
from litestar.handlers import HTTPRouteHandler

from backend.api import auth, problems
from backend.api.body import spoken
from backend.api.optimoroute import examples, schemas
from backend.domain.accounts import Office, Role
from backend.domain.errors import Refusal
from backend.service import identity
from backend.service.desk import Desk

log = logging.getLogger("codriver.optimoroute")

T = TypeVar("T")
Answer = dict[str, Any]
BULK = 500  # the most that one bulk call takes
_LONGEST_KEY = 512
# What our own rooms refuse, in the words of this dialect; every other code is of the document already.
_CODES = {
    "ERR_OVERLOADED": "ERR_TOO_MANY_CONNECTIONS",
    "ERR_UNAVAILABLE": "ERR_INTERNAL",
    "ERR_STORAGE": "ERR_INTERNAL",
    "ERR_STORAGE_FULL": "ERR_INTERNAL",
    "ERR_MALFORMED": "MALFORMED_REQUEST",
    "ERR_INVALID": "ERR_INVALID_PARAM_FORMAT",
}


@dataclass(frozen=True, slots=True)
class Call:
    """One request: ``query`` holds every value of every parameter, ``body`` the JSON object, empty for a GET."""

    desk: Desk
    office: Office
    verb: str
    query: Mapping[str, list[str]]
    body: dict[str, Any]

    def parameter(self, name: str) -> str:
        """A query parameter that has to be there; the last one where it is repeated."""
        if not self.query.get(name):
            raise Refusal("ERR_MISSING_MAND_FIELD", f"The parameter {name} is missing.", name)
        return self.query[name][-1]

    def optional(self, name: str) -> str | None:
        """A query parameter that may be left out, or left empty."""
        return (self.query.get(name) or [""])[-1] or None

    def flag(self, name: str) -> bool:
        """A boolean query parameter, false where it is left out."""
        match (self.optional(name) or "false").lower():
            case "true" | "1":
                return True
            case "false" | "0":
                return False
        raise Refusal("ERR_INVALID_PARAM_FORMAT", f"{name} is true or false.", name)

    def read(self, kind: type[T]) -> T:
        """The body as a wire struct."""
        return convert(self.body, kind)

    def items(self, name: str, most: int = BULK) -> list[Any]:
        """A mandatory list of the body, each item as it came, so that each can be judged by itself."""
        if name not in self.body:
            raise Refusal("ERR_MISSING_MAND_FIELD", f"The field {name} is missing.", name)
        given = self.body[name]
        if not isinstance(given, list) or not 1 <= len(given) <= most:
            raise Refusal("ERR_INVALID_PARAM_FORMAT", f"{name} is a list of 1 to {most} objects.", name)
        return given


Method = Callable[[Call], Awaitable[Answer]]


def method(
    path: str,
    *verbs: str,
    roles: tuple[Role, ...] = (Role.TENANT,),
    takes: type | None = None,
    query: Mapping[str, str] | None = None,
    always: Sequence[str] = (),
) -> Callable[[Method], Method]:
    """Makes a function a method of the API, answering these HTTP verbs; the others are told so in the same way.

    ``takes`` is the body of a POST and ``query`` the parameters of a GET, for the OpenAPI document; the type of
    the answer is in ``schemas``. ``always`` names the lists that the OptimoRoute document calls mandatory in the
    answer: they are empty where the call is refused.
    """

    def register(verb: Method) -> Method:
        async def answer(request: Request[Any, Any, Any]) -> Response[bytes]:
            said = await _answer(request, verb, verbs, roles)
            if not said["success"]:
                said = {name: [] for name in always} | said
            return Response(msgspec.json.encode(said), status_code=200, media_type="application/json")

        def handler(methods: list[HttpMethod], documented: bool, **described: Any) -> HTTPRouteHandler:
            return route(
                f"/v1/{path}",
                http_method=methods,
                status_code=200,
                media_type="application/json",
                include_in_schema=documented,
                operation_id=lambda _handler, http_method, _path: f"{path}_{HttpMethod(http_method).value.lower()}",
                summary=path.replace("_", " ").capitalize(),
                description=verb.__doc__,
                tags=["OptimoRoute"],
                gives=schemas.ANSWERS[path],
                gives_example=examples.TOLD[path],
                problems=False,
                **described,
            )(answer)

        # First, or the framework answers OPTIONS by itself.
        handlers.append(handler([each for each in HttpMethod if each.value not in verbs], False))
        if "POST" in verbs:
            handlers.append(handler([HttpMethod.POST], True, takes=takes, takes_example=examples.TAKEN[path]))
        if "GET" in verbs:
            handlers.append(handler([HttpMethod.GET], True, query=query or {}))
        return verb

    return register


handlers: list[HTTPRouteHandler] = []


def on_unknown_verb(request: Request[Any, Any, Any], error: MethodNotAllowedException) -> Response[bytes]:
    """The framework's handler of verbs that it does not know, which under ``/v1`` are told so as the others are."""
    if not request.url.path.startswith("/v1/"):
        return problems.on_http_error(request, error)
    said = failure(Refusal("MALFORMED_REQUEST", f"No method takes {request.method}."))
    return Response(msgspec.json.encode(said), status_code=200, media_type="application/json")


def convert(value: object, kind: type[T]) -> T:
    """A decoded value as a wire struct. ``ERR_MISSING_MAND_FIELD``, or ``ERR_INVALID_PARAM_FORMAT`` with the place."""
    try:
        try:
            return msgspec.convert(value, kind)
        except msgspec.ValidationError as error:
            if "got `float`" not in str(error):
                raise
            return msgspec.convert(_whole(value), kind)
    except msgspec.ValidationError as error:
        missing = str(error).startswith("Object missing required field")
        code = "ERR_MISSING_MAND_FIELD" if missing else "ERR_INVALID_PARAM_FORMAT"
        raise Refusal(code, f"{spoken(error, kind)}.") from error
    except (OverflowError, RecursionError) as error:
        raise Refusal("ERR_INVALID_PARAM_FORMAT", "A number is too large.") from error


def _whole(value: Any) -> Any:
    """The same with 3 for each 3.0, which is one number in JSON."""
    match value:
        case float() if value.is_integer():
            return int(value)
        case list():
            return [_whole(each) for each in value]
        case dict():
            return {name: _whole(each) for name, each in value.items()}
    return value


def failure(refusal: Refusal) -> Answer:
    """What is said of a refusal, of the whole call or of one item."""
    return {"success": False, "code": _CODES.get(refusal.code, refusal.code), "message": refusal.text}


def no_nul(value: object) -> None:
    """Refuses texts with the character NUL, which not every database can hold."""
    waiting = [value]
    while waiting:
        match waiting.pop():
            case str() as text:
                if "\0" in text:
                    raise Refusal("ERR_INVALID_PARAM_FORMAT", "A text holds the character NUL.")
            case list() as items:
                waiting.extend(items)
            case dict() as fields:
                waiting.extend(fields)
                waiting.extend(fields.values())


async def _answer(
    request: Request[Any, Any, Any], verb: Method, verbs: tuple[str, ...], roles: tuple[Role, ...]
) -> Answer:
    try:
        return await _perform(request, verb, verbs, roles)
    except Refusal as refusal:
        auth.desk_of(request).tally.refuse(refusal.code)
        log.info("refused %s: %s", request.url.path, refusal.code)
        return failure(refusal)
    except HTTPException as error:
        if problems.is_cut_off(error):
            raise  # it is in the log under its own status, which nobody hears
        auth.desk_of(request).tally.refuse("MALFORMED_REQUEST")
        log.info("refused %s: MALFORMED_REQUEST", request.url.path)
        return failure(Refusal("MALFORMED_REQUEST", f"The request could not be read ({error.status_code})."))
    except Exception:
        auth.desk_of(request).tally.refuse(problems.BUG.code)
        log.exception("bug in %s", request.url.path)
        return failure(problems.BUG)


async def _perform(
    request: Request[Any, Any, Any], verb: Method, verbs: tuple[str, ...], roles: tuple[Role, ...]
) -> Answer:
    desk = auth.desk_of(request)
    secret = auth.presented(request)
    if not secret:
        raise Refusal("AUTH_KEY_MISSING", "The authentication key is missing.")
    office = await identity.office(desk, secret[:_LONGEST_KEY])
    if office is None or office.role not in roles:
        raise Refusal("AUTH_KEY_UNKNOWN", "This authentication key is not known, or not meant for this method.")
    limit = office.account.settings.max_concurrent_requests
    limit = desk.settings.max_concurrent_requests if limit is None else limit
    async with desk.calls.place(office.key_id, limit) as free:  # until the answer is ready to be sent
        if not free:
            raise Refusal("ERR_TOO_MANY_CONNECTIONS", f"More than {limit} requests at the same time.")
        if request.method not in verbs:
            raise Refusal("MALFORMED_REQUEST", f"This method takes {' or '.join(verbs)}, not {request.method}.")
        body = {} if request.method == "GET" else _json_object(await request.body())
        return await verb(Call(desk, office, request.method, _query(request), body))


def _query(request: Request[Any, Any, Any]) -> dict[str, list[str]]:
    text = request.scope["query_string"].decode("latin-1")
    query: dict[str, list[str]] = {}
    for name, value in parse_qsl(text, keep_blank_values=True, errors="replace"):
        query.setdefault(name, []).append(value)
    return query


def _json_object(body: bytes) -> dict[str, Any]:
    if not body:
        raise Refusal("MALFORMED_REQUEST", "The body is empty; a JSON object is needed, {} at least.")
    try:
        value = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise Refusal("MALFORMED_REQUEST", f"The body is not JSON: {error}.") from error
    if not isinstance(value, dict):
        raise Refusal("MALFORMED_REQUEST", "The body is not a JSON object.")
    return value
