"""Signed links to files: for one file, for a time, and for nothing else."""

import hashlib
import io
import re
import time
import uuid
from pathlib import Path

import httpx
import pytest
from PIL import Image

from tests.api.cloud import cloud
from tests.api.files import noise
from tests.api.test_day import DATE, planned
from tests.serving import Company, Phone, Server, eventually


def photo(colour: str = "teal") -> bytes:
    """A photo that tells where it was taken."""
    exif = Image.Exif()
    exif[0x010F] = "Camera of Ana"
    exif.get_ifd(0x8825)[2] = (45.0, 48.0, 0.0)
    kept = io.BytesIO()
    Image.new("RGB", (64, 48), colour).save(kept, "JPEG", exif=exif)
    return kept.getvalue()


def delivered(company: Company, content: bytes | None = None) -> tuple[Phone, str, bytes]:
    """An order delivered with a photo: the phone, the order's id, the photo."""
    route = planned(company, 1)
    phone = company.phone(route["driverId"])
    name, content = str(uuid.uuid4()), content or photo()
    order_id = route["stops"][0]["orderId"]
    sent = phone.client.post("/driver/v1/attachments", data={"id": name, "kind": "image"}, files={"file": content})
    assert sent.status_code == 201, sent.text
    action = {
        "id": str(uuid.uuid4()),
        "action": "success",
        "orderId": order_id,
        "timestamp": time.time() - 1,
        "form": {"images": [name]},
    }
    assert phone.client.post("/driver/v1/actions", json={"actions": [action]}).json()["actions"][0]["success"]
    return phone, order_id, content


def link_of(company: Company, order_id: str) -> str:
    form = company.client.get(f"/api/orders/{order_id}").json()["completion"]["form"]
    url: str = form["images"][0]["url"]
    return url


def test_a_link_gives_the_bytes_that_came_as_a_download_that_no_browser_runs(company: Company) -> None:
    _, order_id, content = delivered(company)
    answer = httpx.get(link_of(company, order_id))
    assert answer.status_code == 200
    assert hashlib.sha256(answer.content).digest() == hashlib.sha256(content).digest()
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-disposition"].startswith("attachment")
    assert "sandbox" in answer.headers["content-security-policy"]


def test_a_recipients_link_does_not_tell_where_the_photo_was_taken(server: Server, company: Company) -> None:
    _, order_id, content = delivered(company)
    tracking = company.client.get(f"/api/orders/{order_id}").json()["trackingUrl"]
    url = httpx.get(f"{tracking}.json").json()["proof"]["images"][0]["url"]
    seen = httpx.get(url).content
    assert b"Camera of Ana" in content
    assert b"Camera of Ana" not in seen
    assert not Image.open(io.BytesIO(seen)).getexif()


def test_a_cloud_that_breaks_off_cuts_the_download_off_and_is_told_in_a_line(tmp_path: Path) -> None:
    with cloud() as bucket:
        server = Server(tmp_path / "data", environment=bucket.environment).start()
        try:
            company = server.account()
            _, order_id, content = delivered(company, noise((1500, 1200)))
            url = link_of(company, order_id)
            assert httpx.get(url, timeout=60).content == content
            bucket.broken = True
            with httpx.stream("GET", url, timeout=60) as answer:
                assert answer.status_code == 200
                with pytest.raises(httpx.RemoteProtocolError):
                    answer.read()
            line = "broke off amid GET /files/{link}: ERR_UNAVAILABLE"
            eventually(lambda: line in server.tail(), what="a line on it")
            bucket.broken = False
            assert httpx.get(url, timeout=60).content == content
            assert "Traceback" not in server.tail() and "ERROR" not in server.tail(), server.tail()
        finally:
            server.kill()


def test_a_link_that_was_altered_in_any_part_is_worth_nothing(server: Server, company: Company) -> None:
    _, order_id, _ = delivered(company)
    url = link_of(company, order_id)
    stem, _, name = url.rpartition("/")
    account, sha256, kind, audience, ends, seal = name.split(".")
    plain = httpx.get(url).status_code
    assert plain == 200
    altered = [
        f"{'0' * 32}.{sha256}.{kind}.{audience}.{ends}.{seal}",
        f"{account}.{'0' * 64}.{kind}.{audience}.{ends}.{seal}",
        f"{account}.{sha256}.pdf.{audience}.{ends}.{seal}",
        f"{account}.{sha256}.{kind}.{'c' if audience == 'o' else 'o'}.{ends}.{seal}",
        f"{account}.{sha256}.{kind}.{audience}.{int(ends) + 1}.{seal}",
        f"{account}.{sha256}.{kind}.{audience}.0{ends}.{seal}",
        f"{account}.{sha256}.{kind}.{audience}.{ends}.{seal[:-1]}",
        f"{account}.{sha256}.{kind}.{audience}.{ends}.{'0' * 64}",
        f"{account}.{sha256}.{kind}.{audience}.{ends}.{seal.upper()}",
        f"{sha256}.{account}.{kind}.{audience}.{ends}.{seal}",
        name + "%2f..",
        "%2e%2e%2fsecret",
        "ä" * 40,
    ]
    for each in altered:
        answer = httpx.get(f"{stem}/{each}")
        assert answer.status_code in (403, 404), f"{each}: {answer.status_code}"
        assert "detail" in answer.json()
    assert httpx.post(url).status_code == 405


def test_a_link_lasts_five_to_seven_days_and_not_longer(tmp_path_factory: pytest.TempPathFactory) -> None:
    """By a server whose clock is set on six and a half days."""
    data = tmp_path_factory.mktemp("links") / "data"
    server = Server(data, "--clock", f"{DATE}T08:00:00Z@1").start()
    try:
        company = server.account()
        route = planned(company, 1)
        phone = company.phone(route["driverId"])
        name, order_id = str(uuid.uuid4()), route["stops"][0]["orderId"]
        phone.client.post("/driver/v1/attachments", data={"id": name, "kind": "image"}, files={"file": photo()})
        action = {"id": str(uuid.uuid4()), "action": "success", "orderId": order_id, "timestamp": 1_772_438_400}
        action["form"] = {"images": [name]}
        outcome = phone.client.post("/driver/v1/actions", json={"actions": [action]}).json()["actions"][0]
        assert outcome["success"], outcome
        path = re.sub(r"^http://[^/]+", "", link_of(company, order_id))
        for moment, status in (("2026-03-07T08:00:01Z", 200), ("2026-03-09T08:00:01Z", 403)):
            assert server.stop() == 0
            server.options = ("--clock", f"{moment}@1")
            server.start()
            assert httpx.get(server.url + path).status_code == status, moment
    finally:
        server.kill()
