"""The pages and their built files, over HTTP. They hold no secret: the map asks for a key in the browser.

The recipient's page is the one page written by the server, so that it says something without JavaScript.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import jinja2
from litestar import MediaType, Request, Response, get
from litestar.params import FromPath
from litestar.response import Redirect

from backend.web import built, words

TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,  # names and addresses come from anyone
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
LONG_CACHE = "public, max-age=31536000, immutable"
NOSNIFF = {"X-Content-Type-Options": "nosniff"}


class Link(Protocol):
    """A file of the proof."""

    @property
    def url(self) -> str: ...


class Proof(Protocol):
    @property
    def note(self) -> str | None: ...
    @property
    def signature(self) -> Link | None: ...
    @property
    def images(self) -> Sequence[Link]: ...


class Window(Protocol):
    """ISO 8601 in UTC."""

    @property
    def from_(self) -> str: ...
    @property
    def to(self) -> str: ...


class Driver(Protocol):
    @property
    def first_name(self) -> str | None: ...


class Order(Protocol):
    """One order as its recipient may see it, and nothing that the recipient may not. ``now`` Unix seconds."""

    status: str
    order_no: str
    company_name: str
    location_name: str
    address: str
    window: Window | None
    eta: str | None
    time_zone: str
    driver: Driver | None
    stops_before: int | None
    finished_at: str | None
    proof: Proof | None
    now: float


@get("/", include_in_schema=False, sync_to_thread=False)
def front_page() -> Redirect:
    """Who opens the bare address of the server in a browser wants the map."""
    return Redirect("/map", status_code=302)


@get("/map", include_in_schema=False, sync_to_thread=False)
def live_map(request: Request) -> Response[str]:
    """The dispatcher's live map."""
    page = built.page("src/map/main.ts")
    if page is None:
        return _not_built()
    return _html("map.html", 200, security_headers(_style_url(request), _public_url(request)), page=page)


@get("/map/config.json", include_in_schema=False, sync_to_thread=False)
def map_config(request: Request) -> Response[dict[str, str]]:
    """What the map page must know before a key is entered: where the background style is, if one is set."""
    url = _style_url(request)
    return Response({"styleUrl": url} if url else {}, headers=NOSNIFF | {"Cache-Control": "no-cache"})


def reference(request: Request) -> bytes:
    """The page to try the HTTP API; its content policy is in the page."""
    page = built.page("src/reference/main.ts")
    return TEMPLATES.get_template("not_built.html" if page is None else "reference.html").render(page=page).encode()


@get("/static/{name:path}", include_in_schema=False, sync_to_thread=True)
def static_file(request: Request, name: FromPath[str]) -> Response[bytes]:
    """A built file. Its name carries its hash, so a browser may keep it for ever."""
    asset = built.asset(name.lstrip("/"), "gzip" in request.headers.get("accept-encoding", ""))
    if asset is None:
        return Response(b"Not found", status_code=404, media_type=MediaType.TEXT, headers=NOSNIFF)
    headers = NOSNIFF | {"Cache-Control": LONG_CACHE, "Vary": "Accept-Encoding"}
    if asset.gzipped:
        headers["Content-Encoding"] = "gzip"
    return Response(asset.content, media_type=asset.type, headers=headers)


@get("/pair", include_in_schema=False, sync_to_thread=False)
def pair(request: Request) -> Response[str]:
    """What a driver opens from a pairing link: the two things to enter in the app."""
    headers = security_headers(None) | {"Cache-Control": "no-store"}
    code = request.query_params.get("code", "")
    page = built.page("src/recipient/main.ts")
    return _html("pair.html", 200, headers, page=page, code=code[:32], server=_public_url(request))


def recipient(request: Request, code: str, order: Order | None) -> Response[str]:
    """The recipient's page of one order, readable without JavaScript; ``order`` is None where nobody knows the code."""
    page = built.page("src/recipient/main.ts")
    headers = security_headers(None, _public_url(request)) | {"Cache-Control": "no-store"}
    if order is None:
        return _html("unknown.html", 404, headers, page=page)
    told = words.tell(
        order.status,
        order.time_zone,
        order.now,
        eta=order.eta,
        window=(order.window.from_, order.window.to) if order.window else None,
        finished=order.finished_at,
        first_name=order.driver.first_name if order.driver else None,
        stops_before=order.stops_before,
    )
    return _html("recipient.html", 200, headers, page=page, order=order, words=told, proof=order.proof)


def security_headers(style_url: str | None, public_url: str = "") -> dict[str, str]:
    """Headers of every page: it may load and call this server alone, and nobody may frame it.

    Photos have addresses under the public address, which may be another one than the page came from.
    A map style of another host names further hosts for tiles, glyphs and sprites, which cannot be known here;
    with one set, the page may fetch and show images over the style's scheme, and still run no foreign script.
    """
    scheme = f" {urlsplit(style_url).scheme}:" if style_url and urlsplit(style_url).netloc else ""
    public = urlsplit(public_url)
    photos = f" {public.scheme}://{public.netloc}" if public.netloc else ""
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; worker-src 'self' blob:; "
        f"img-src 'self' data: blob:{photos}{scheme}; connect-src 'self'{scheme}; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )
    return {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "X-Frame-Options": "DENY",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Permissions-Policy": "geolocation=(), camera=(), microphone=()",
        "Cache-Control": "no-cache",
    }


def _style_url(request: Request) -> str | None:
    """The setting ``MAP_STYLE_URL``, where the application carries settings."""
    desk = request.app.state.get("desk")
    return desk.settings.map_style_url or None if desk else None


def _public_url(request: Request) -> str:
    desk = request.app.state.get("desk")
    return desk.public_url if desk else ""


def _not_built() -> Response[str]:
    return _html("not_built.html", 503, security_headers(None))


def _html(template: str, status: int, headers: dict[str, str], **values: object) -> Response[str]:
    text = TEMPLATES.get_template(template).render(values)
    return Response(text, status_code=status, media_type=MediaType.HTML, headers=headers)


handlers: list = [front_page, live_map, map_config, pair, static_file]
