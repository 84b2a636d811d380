"""The OpenAPI document of the wire, and a page to try it.

The handlers read bodies themselves, strictly, so the framework cannot know the shapes. A handler says them beside its
path: ``takes=`` the body's type (``takes_as=`` its media type, where that is not JSON, ``takes_example=`` one of it),
``gives=`` the answer's (``gives_as=`` its media type, ``gives_example=`` one of it; None where it has no body),
``query=`` a sentence for each parameter of the query, ``problems=False`` that a refusal has the answer's shape too.
"""

from collections.abc import Callable
from typing import Any

import msgspec
from litestar import Litestar, MediaType, Request
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin, OpenAPIRenderPlugin
from litestar.openapi.spec import (
    Components,
    OpenAPIMediaType,
    OpenAPIResponse,
    OpenAPIType,
    Operation,
    Parameter,
    Reference,
    RequestBody,
    Schema,
    SecurityScheme,
)
from litestar.routes import HTTPRoute

from backend.api.problems import Problem

_REFERENCE = "#/components/schemas/{name}"
_AREAS = {
    "/driver/v1": "Drivers' phones",
    "/api": "The office",
    "/v1": "OptimoRoute",
    "/t/": "Recipients",
    "/files": "Files",
}


class Page(OpenAPIRenderPlugin):
    """The page to try the API, written by ``render``."""

    def __init__(self, render: Callable[[Request[Any, Any, Any]], bytes]) -> None:
        super().__init__(path="/", media_type=MediaType.HTML)
        self._render = render

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        return self._render(request)


def config(page: Callable[[Request[Any, Any, Any]], bytes]) -> OpenAPIConfig:
    """What the document says of the whole; ``page`` writes the page to try it."""
    schemes: dict[str, SecurityScheme | Reference] = {
        "bearer": SecurityScheme(type="http", scheme="bearer", description="An API key, or a phone's token."),
        "header": SecurityScheme(type="apiKey", name="X-API-Key", security_scheme_in="header"),
        "query": SecurityScheme(type="apiKey", name="key", security_scheme_in="query"),
    }
    return OpenAPIConfig(
        title="Codriver",
        version="1",
        description=(
            "The driver's companion: positions, actions and proofs of delivery from phones, the live map, and the APIs "
            "of the trade. Errors are `application/problem+json` with a stable `code`; under `/v1` every answer is 200 "
            "with `success`. The websockets are described by `/schema/asyncapi.json`."
        ),
        path="/schema",
        render_plugins=[Page(page), JsonRenderPlugin()],
        use_handler_docstrings=True,
        security=[{name: []} for name in schemes],
        components=Components(security_schemes=schemes),
    )


def describe(app: Litestar) -> None:
    """Write into the application's document what its handlers say of their bodies, answers and queries.

    Schemas are mappings, as msgspec makes them; the framework writes those out as they are.
    """
    document = app.openapi_schema
    told = [(operation, handler.opt) for operation, handler in _operations(app)]
    types = {opt[word] for _, opt in told for word in ("takes", "gives") if opt.get(word) is not None}
    ordered = sorted([*types, Problem], key=repr)
    schemas, components = msgspec.json.schema_components(ordered, ref_template=_REFERENCE)
    shape = dict(zip(ordered, schemas, strict=True))
    assert document.components is not None
    document.components.schemas = {**(document.components.schemas or {}), **components}
    for operation, opt in told:
        _describe(operation, opt, shape)


def _area(path: str) -> str:
    return next((name for start, name in _AREAS.items() if path.startswith(start)), "Operators")


def _describe(operation: Operation, opt: dict[str, Any], shape: dict[Any, Any]) -> None:
    if "takes" in opt:
        media = OpenAPIMediaType(schema=shape[opt["takes"]], example=opt.get("takes_example"))
        content = {opt.get("takes_as", "application/json"): media}
        operation.request_body = RequestBody(content=content, required=True)
    responses = operation.responses or {}
    for status, response in responses.items():
        if status.startswith("2") and "gives" in opt and isinstance(response, OpenAPIResponse):
            given = shape.get(opt["gives"])
            answer = OpenAPIMediaType(schema=given, example=opt.get("gives_example"))
            response.content = None if given is None else {opt.get("gives_as", "application/json"): answer}
    problem = {"application/problem+json": OpenAPIMediaType(schema=shape[Problem])}
    responses.pop("400", None)
    wrong = OpenAPIResponse("What was wrong, where, and what was expected", content=problem)
    operation.responses = responses | ({"4XX": wrong} if opt.get("problems", True) else {})
    for name, text in opt.get("query", {}).items():
        parameter = Parameter(name, "query", Schema(type=OpenAPIType.STRING), text.removesuffix(" (required)"))
        parameter.required = text.endswith(" (required)")
        operation.parameters = [*(operation.parameters or []), parameter]


def _operations(app: Litestar) -> list[tuple[Operation, HTTPRouteHandler]]:
    paths = app.openapi_schema.paths or {}
    found = []
    for route in app.routes:
        if not isinstance(route, HTTPRoute) or (item := paths.get(route.path_format)) is None:
            continue
        for handler in route.route_handlers:
            for method in handler.http_methods:
                operation = getattr(item, method.lower())
                if operation is not None:
                    operation.tags = operation.tags or [_area(route.path_format)]
                    found.append((operation, handler))
    return found
