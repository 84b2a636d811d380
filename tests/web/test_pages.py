"""The pages are served whole and locked down; built files come with their type and nothing else comes at all."""

import json

import pytest
from litestar import Litestar
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
