"""Photos and signatures as forms, and as proof of an order."""

import hashlib
import io
import socket
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.api.days import NOON_S, act, action, order_ids, sent_day
from tests.api.files import MOST_BYTES, code, hand_in, noise, picture
from tests.serving import Company, Phone, Server, eventually


def test_a_file_is_stored_once_and_told_what_it_is(phone: Phone):
    file, id = picture(), str(uuid.uuid4())
    stored = {
        "id": id,
        "kind": "signature",
        "type": "image/png",
        "size": len(file),
        "sha256": hashlib.sha256(file).hexdigest(),
    }
    first = hand_in(phone, file, id, kind="signature", sha256=stored["sha256"])
    assert (first.status_code, first.json()) == (201, stored)
    again = hand_in(phone, file, id, kind="signature")
    assert (again.status_code, again.json()) == (200, stored)
    assert code(hand_in(phone, picture("blue"), id)) == (409, "ERR_ATTACHMENT_ID_REUSED")


def test_the_id_of_another_drivers_file_is_taken(company: Company, phone: Phone):
    id = str(uuid.uuid4())
    assert hand_in(phone, picture(), id).status_code == 201
    assert code(hand_in(company.driver("Ben"), picture(), id)) == (409, "ERR_ATTACHMENT_ID_REUSED")


@pytest.mark.parametrize(
    ("file", "type_"),
    [
        (picture(form="JPEG"), "image/jpeg"),
        (picture(form="WEBP"), "image/webp"),
        (b"%PDF-1.4\n1 0 obj<<>>endobj\ntrailer<<>>\n%%EOF\n", "application/pdf"),
    ],
)
def test_the_content_says_what_a_file_is_and_not_its_name(same_phone: Phone, file, type_):
    answer = hand_in(same_phone, file)
    assert (answer.status_code, answer.json()["type"]) == (201, type_)


@pytest.mark.parametrize(
    "file",
    [
        b"",
        b"hello",
        b"<html><script>alert(1)</script></html>",
        b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
        b"GIF89a" + bytes(100),
        picture(form="JPEG", size=(400, 400))[:300],
        noise((100, 100))[:3000],
        b"\x89PNG\r\n\x1a\n" + bytes(1000),
        b"PK\x03\x04" + bytes(1000),
    ],
    ids=["empty", "text", "html", "svg", "gif", "half a jpeg", "half a png", "a png's first bytes", "zip"],
)
def test_what_is_no_picture_and_no_document_is_refused(same_phone: Phone, file):
    assert code(hand_in(same_phone, file)) == (400, "ERR_FILE_INVALID")


def test_a_picture_of_many_megapixels_is_refused_though_it_is_small(same_phone: Phone):
    buffer = io.BytesIO()
    Image.new("1", (9000, 9000)).save(buffer, "PNG")
    assert len(buffer.getvalue()) < 100_000
    assert code(hand_in(same_phone, buffer.getvalue())) == (400, "ERR_FILE_INVALID")


def test_a_wrong_checksum_is_refused(same_phone: Phone):
    assert code(hand_in(same_phone, picture(), sha256="0" * 64)) == (400, "ERR_CHECKSUM")


@pytest.mark.parametrize(
    "fields",
    [{"kind": "selfie"}, {"kind": ""}, {"id": "1"}, {"id": "../../etc/passwd"}, {"sha256": "x"}, {"orderId": "a\0"}],
)
def test_a_field_that_does_not_fit_is_refused(same_phone: Phone, fields):
    assert code(hand_in(same_phone, picture(), **fields)) == (400, "ERR_INVALID")


def test_an_order_that_is_not_the_drivers_is_not_found(company: Company, phone: Phone):
    [mine] = order_ids(sent_day(company, phone, 1))
    assert hand_in(phone, picture(), orderId=mine).status_code == 201
    assert code(hand_in(company.driver("Ben"), picture(), orderId=mine)) == (404, "ERR_ORDER_NOT_FOUND")


def part(name: str, content: bytes, more: str = "") -> bytes:
    return f'--B\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode() + content + b"\r\n"


GOOD = part("id", str(uuid.uuid4()).encode()) + part("kind", b"image")
FILE = part("file", picture(), '; filename="a.png"')
END = b"--B--\r\n"
ODD_FORMS = {
    "no file": GOOD + END,
    "two files": GOOD + FILE + FILE + END,
    "no kind": part("id", str(uuid.uuid4()).encode()) + FILE + END,
    "no end": GOOD + FILE,
    "nothing": b"",
    "another boundary": (GOOD + FILE + END).replace(b"--B", b"--C"),
    "a field twice": GOOD + part("kind", b"image") + FILE + END,
    "a field without UTF-8": part("id", b"\xff\xfe") + part("kind", b"image") + FILE + END,
    "a long field": part("kind", b"x" * 5000) + FILE + END,
    "many parts": b"".join(part(f"f{n}", b"x") for n in range(50)) + FILE + END,
    "a long header": GOOD + part("file", picture(), "; x=" + "y" * 100_000) + END,
    "many headers": b"--B\r\n" + b"X: y\r\n" * 100 + b"\r\n\r\n" + END,
    "no name": b"--B\r\nContent-Disposition: form-data\r\n\r\nx\r\n" + END,
    "a header without UTF-8": b'--B\r\nContent-Disposition: form-data; name="\xff"\r\n\r\nx\r\n' + END,
    "no disposition": b"--B\r\nX: y\r\n\r\nx\r\n" + END,
    "garbage": bytes(range(256)) * 100,
}


@pytest.mark.parametrize("name", ODD_FORMS)
def test_an_odd_form_is_refused_and_never_an_error_of_ours(same_phone: Phone, name):
    headers = {"Content-Type": "multipart/form-data; boundary=B"}
    answer = same_phone.client.post("/driver/v1/attachments", content=ODD_FORMS[name], headers=headers)
    assert code(answer)[0] == 400, answer.text


@pytest.mark.parametrize(
    "type_",
    [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=" + "b" * 500,
        'multipart/form-data; boundary="B',
        "multipart/mixed; boundary=B",
        "application/json",
        "",
        "multipart/form-data; boundary*=UTF-8''%ff",
    ],
)
def test_what_does_not_call_itself_a_form_is_refused(same_phone: Phone, type_):
    answer = same_phone.client.post("/driver/v1/attachments", content=GOOD + END, headers={"Content-Type": type_})
    assert code(answer)[0] == 400


@pytest.mark.parametrize(
    "name",
    [
        '; filename="../../../etc/passwd"',
        '; filename="C:\\\\windows\\\\a.exe"',
        '; filename="CON"',
        "; filename*=UTF-8''%2e%2e%2fpasswd",
        '; filename="' + "a" * 3000 + '"',
        '; filename=""',
        "",
        '; filename="a.png"\r\nContent-Type: text/html; charset=nope',
    ],
)
def test_the_name_of_a_file_does_not_matter(server: Server, same_phone: Phone, name):
    form = part("id", str(uuid.uuid4()).encode()) + part("kind", b"image") + part("file", picture("green"), name) + END
    headers = {"Content-Type": "multipart/form-data; boundary=B"}
    answer = same_phone.client.post("/driver/v1/attachments", content=form, headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (201, "image/png")
    assert not list(server.data.rglob("*passwd*"))


def test_a_file_may_have_fifteen_mebibytes_and_no_more(server: Server, same_phone: Phone):
    big = picture(form="JPEG") + bytes(MOST_BYTES)
    assert code(hand_in(same_phone, big)) == (413, "ERR_TOO_LARGE")

    def endless() -> Iterator[bytes]:
        yield GOOD + b'--B\r\nContent-Disposition: form-data; name="file"\r\n\r\n'
        for _ in range(64):
            yield bytes(1 << 20)

    headers = {"Content-Type": "multipart/form-data; boundary=B"}
    answer = same_phone.client.post("/driver/v1/attachments", content=endless(), headers=headers)
    assert code(answer) == (413, "ERR_TOO_LARGE")
    large = noise((3800, 4000))
    assert 14 << 20 < len(large) < MOST_BYTES
    assert hand_in(same_phone, large).status_code == 201
    eventually(lambda: not list(server.data.glob("uploads/*.part")), what="an empty folder of uploads")


def test_a_length_that_is_too_large_is_refused_before_anything_is_read(server: Server, same_phone: Phone):
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as one:
        head = f"POST /driver/v1/attachments HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {same_phone.token}\r\n"
        head += "Content-Type: multipart/form-data; boundary=B\r\nContent-Length: 99999999999\r\n\r\n"
        one.sendall(head.encode())
        assert b" 413 " in one.recv(4096).splitlines()[0]


def test_a_form_that_is_cut_off_leaves_nothing(server: Server, same_phone: Phone):
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as one:
        head = f"POST /driver/v1/attachments HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {same_phone.token}\r\n"
        head += "Content-Type: multipart/form-data; boundary=B\r\nContent-Length: 100000\r\n\r\n"
        one.sendall(head.encode() + GOOD + FILE)
    eventually(lambda: not list(server.data.glob("uploads/*.part")), what="an empty folder of uploads")
    assert "Traceback" not in server.tail()


def test_without_a_token_nothing_is_taken(server: Server):
    answer = httpx.post(f"{server.url}/driver/v1/attachments", files={"file": b"x"}, data={"kind": "image"})
    assert answer.status_code == 401
    answer = httpx.post(f"{server.url}/driver/v1/uploads", headers={"Tus-Resumable": "1.0.0", "Upload-Length": "1"})
    assert answer.status_code == 401


def test_completion_gains_a_photo_that_comes_after_its_action(company: Company, phone: Phone):
    [order_id] = order_ids(sent_day(company, phone, 1))
    id, file = str(uuid.uuid4()), picture("white")
    [done] = act(phone, action("success", NOON_S, orderId=order_id, form={"images": [id], "note": "x"}))
    assert done["success"]

    def form() -> dict[str, Any]:
        told = company.v1("get_completion_details", {"orders": [{"id": order_id}]})["orders"][0]["data"]["form"]
        return dict(told)

    assert "images" not in form()
    assert hand_in(phone, file, id, orderId=order_id).status_code == 201
    [image] = form()["images"]
    assert image["type"] == "image/png"
    answer = httpx.get(image["url"])
    assert answer.content == file
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-disposition"].startswith("attachment")


def test_a_photo_under_the_same_id_from_another_driver_is_not_the_proof(company: Company, phone: Phone):
    [order_id] = order_ids(sent_day(company, phone, 1))
    id = str(uuid.uuid4())
    act(phone, action("success", NOON_S, orderId=order_id, form={"images": [id], "note": "x"}))
    assert hand_in(company.driver("Ben"), picture(), id).status_code == 201
    told = company.v1("get_completion_details", {"orders": [{"id": order_id}]})["orders"][0]["data"]
    assert "images" not in told["form"]
    stolen = action("success", NOON_S + 1, orderId=order_id, form={"images": [id]})
    assert act(phone, stolen)[0]["code"] == "ERR_ACTION_INVALID"
