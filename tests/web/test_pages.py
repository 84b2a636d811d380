"""The pages are served whole and locked down; built files come with their type and nothing else comes at all."""

import json
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest
from litestar import Litestar, Request, Response, get
from litestar.datastructures import State
from litestar.params import FromPath
from litestar.testing import TestClient

from backend.web import built, pages

HOSTILE_NAMES = [
    "../pages.py",
    "assets/../../pages.py",
    "assets/..%2f..%2fpages.py",
    "%2e%2e/%2e%2e/pages.py",
    "assets/",
    "assets",
    "manifest.json",
    "assets/secret.py",
    "/etc/passwd",
    "assets/a\\..\\b.js",
    "assets/a%00.js",
    "assets/.hidden.js",
]


@pytest.fixture
def static(tmp_path, monkeypatch):
    assets = tmp_path / "assets"
    assets.mkdir()
    (assets / "map-1a2b.js").write_text("export {}")
    (assets / "map-1a2b.js.gz").write_bytes(b"\x1f\x8bpacked")
    (assets / "map-3c.css").write_text("body {}")
    (assets / "secret.py").write_text("no")
    manifest = {
        "src/map/main.ts": {"file": "assets/map-1a2b.js", "css": ["assets/map-3c.css"]},
        "src/recipient/main.ts": {"file": "assets/map-1a2b.js"},
    }
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    monkeypatch.setattr(built, "STATIC", tmp_path)
    return tmp_path


@pytest.fixture
def client():
    with TestClient(Litestar(route_handlers=pages.handlers, openapi_config=None)) as client:
        yield client


def test_who_opens_the_bare_address_is_sent_to_the_map(client):
    answer = client.get("/", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (302, "/map")


def test_the_map_page_names_its_hashed_files_and_may_load_nothing_else(static, client):
    answer = client.get("/map")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert 'src="/static/assets/map-1a2b.js"' in answer.text and 'href="/static/assets/map-3c.css"' in answer.text
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "script-src 'self';" in policy and "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy and "http" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"


def test_a_page_that_was_not_built_says_how_to_build_it(tmp_path, monkeypatch, client):
    monkeypatch.setattr(built, "STATIC", tmp_path / "nothing")
    answer = client.get("/map")
    assert answer.status_code == 503
    assert "make install" in answer.text


def test_a_built_file_comes_with_its_type_and_may_be_kept_for_ever(static, client):
    answer = client.get("/static/assets/map-1a2b.js", headers={"Accept-Encoding": "identity"})
    assert answer.status_code == 200 and answer.text == "export {}"
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert "immutable" in answer.headers["cache-control"]
    assert client.get("/static/assets/map-3c.css").headers["content-type"] == "text/css; charset=utf-8"


def test_a_file_is_sent_gzipped_to_a_browser_that_takes_it(static):
    asset = built.asset("assets/map-1a2b.js", accepts_gzip=True)
    assert asset is not None and asset.gzipped and asset.content == b"\x1f\x8bpacked"


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_no_name_leads_out_of_the_built_files(static, client, name):
    answer = client.get(f"/static/{name}")
    assert answer.status_code in (400, 404)
    assert built.asset(name, accepts_gzip=False) is None


def test_without_a_style_setting_the_config_is_empty(client):
    assert client.get("/map/config.json").json() == {}


@dataclass
class File:
    url: str


@dataclass
class Proof:
    note: str | None = None
    signature: File | None = None
    images: list[File] = field(default_factory=list)


@dataclass
class Window:
    from_: str
    to: str


@dataclass
class Driver:
    first_name: str | None


@dataclass
class Order:
    status: str = "scheduled"
    order_no: str = "ORD1"
    company_name: str = "Zagreb Couriers"
    location_name: str = "Bakery"
    address: str = "Ilica 1"
    window: Window | None = None
    eta: str | None = None
    time_zone: str = "Europe/Zagreb"
    driver: Driver | None = None
    stops_before: int | None = None
    finished_at: str | None = None
    proof: Proof | None = None
    now: float = 1772440800.0


@pytest.fixture
def recipient(static):
    """``recipient(order)`` is the answer that the recipient of ``order`` gets."""
    shown: list[Order | None] = [None]

    @get("/t/{code:str}", sync_to_thread=False)
    def page(request: Request, code: FromPath[str]) -> Response[str]:
        return pages.recipient(request, code, shown[0])

    with TestClient(Litestar(route_handlers=[page], openapi_config=None)) as client:

        def ask(order: Order | None):
            shown[0] = order
            return client.get("/t/code")

        yield ask


def test_the_recipient_reads_the_window_in_the_zone_of_the_order_without_any_script(recipient):
    text = recipient(Order(window=Window("2026-03-02T09:10:00.000Z", "2026-03-02T09:40:00.000Z"))).text
    assert "Your delivery is planned" in text
    assert "Expected on Monday 2 March between 10:10 and 10:40." in text
    assert "As of 09:40" in text


def test_the_driver_is_named_only_while_on_the_way(recipient):
    ana = Driver("Ana")
    assert "Ana has 2 stops before yours." in recipient(Order(status="on_route", driver=ana, stops_before=2)).text
    assert "Ana is driving to you now." in recipient(Order(status="on_route", driver=ana, stops_before=0)).text
    assert "Ana" not in recipient(Order(status="success", driver=ana)).text


def test_the_proof_is_shown_after_the_delivery(recipient):
    proof = Proof("Left with the neighbour", File("/files/signature"), [File("/files/photo")])
    text = recipient(Order(status="success", finished_at="2026-03-02T09:20:00.000Z", proof=proof)).text
    assert "Delivered on Monday 2 March at 10:20." in text
    assert "Left with the neighbour" in text and 'src="/files/signature"' in text and 'src="/files/photo"' in text


def test_hostile_names_are_text_on_the_recipients_page(recipient):
    hostile = '"><script>alert(1)</script>'
    order = Order(location_name=hostile, address=hostile, company_name=hostile, order_no=hostile, proof=Proof(hostile))
    text = recipient(order).text
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert" in text


def test_a_code_that_nobody_knows_is_told_kindly(recipient):
    answer = recipient(None)
    assert answer.status_code == 404
    assert "We cannot find this delivery" in answer.text


def test_the_recipients_page_is_not_kept_framed_or_indexed(recipient):
    answer = recipient(Order())
    assert answer.headers["cache-control"] == "no-store"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert "noindex" in answer.text


def test_the_recipients_page_says_what_there_is_before_the_scripts_were_built(recipient, monkeypatch, tmp_path):
    monkeypatch.setattr(built, "STATIC", tmp_path / "nothing")
    answer = recipient(Order())
    assert answer.status_code == 200 and "Your delivery is planned" in answer.text


def test_a_map_style_is_told_to_the_page_and_allowed_by_its_policy(static):
    desk = SimpleNamespace(settings=SimpleNamespace(map_style_url="https://maps.example/style.json"), public_url="")
    app = Litestar(route_handlers=pages.handlers, openapi_config=None, state=State({"desk": desk}))
    with TestClient(app) as client:
        assert client.get("/map/config.json").json() == {"styleUrl": "https://maps.example/style.json"}
        policy = client.get("/map").headers["content-security-policy"]
    assert "connect-src 'self' https:;" in policy and "script-src 'self';" in policy
