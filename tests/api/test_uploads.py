"""Photos and signatures: as a form in one request, and by the tus protocol, against a real server."""

import base64
import hashlib
import io
import socket
import threading
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from PIL import Image
from tusclient.client import TusClient

from tests.api.days import NOON_S, act, action, order_ids, sent_day
from tests.serving import Company, Phone, Server, bearer, eventually

MOST_BYTES = 15 * 1024 * 1024


@pytest.fixture
def phone(company: Company) -> Phone:
    return company.driver("Ana", externalId=f"D{uuid.uuid4().hex[:8]}")


@pytest.fixture(scope="module")
def same_phone(server: Server) -> Phone:
    """One that the tests share which store nothing."""
    return server.account().driver("Shared")


def picture(colour: str = "red", size: tuple[int, int] = (32, 24), form: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, form, **options)
    return buffer.getvalue()


def noise(size: tuple[int, int]) -> bytes:
    """A picture that does not get smaller."""
    buffer = io.BytesIO()
    Image.effect_noise(size, 200).save(buffer, "PNG", compress_level=0)
    return buffer.getvalue()


def hand_in(phone: Phone, file: bytes, id: str | None = None, **fields: str) -> httpx.Response:
    data = {"id": id or str(uuid.uuid4()), "kind": "image", **fields}
    return phone.client.post("/driver/v1/attachments", data=data, files={"file": ("a.png", file, "image/png")})


def code(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["code"]


# A form in one request


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
    assert not list(server.data.glob("uploads/*.part"))


def test_a_length_that_is_too_large_is_refused_before_anything_is_read(server: Server, same_phone: Phone):
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as one:
        head = f"POST /driver/v1/attachments HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {same_phone.token}\r\n"
        head += "Content-Type: multipart/form-data; boundary=B\r\nContent-Length: 99999999999\r\n\r\n"
        one.sendall(head.encode())
        assert b" 413 " in one.recv(4096).splitlines()[0]


def test_a_form_that_is_cut_off_leaves_nothing(server: Server, same_phone: Phone):
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as one:
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


# Proof of an order


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


# tus


def meta(id: str, kind: str = "image", **more: str) -> str:
    values = {"id": id, "kind": kind, "filename": "a.png", "filetype": "image/png", **more}
    return ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in values.items())


def begin(phone: Phone, length: int, id: str | None = None, **headers: str) -> httpx.Response:
    more = {"Tus-Resumable": "1.0.0", "Upload-Length": str(length), "Upload-Metadata": meta(id or str(uuid.uuid4()))}
    return phone.client.post("/driver/v1/uploads", headers=more | headers)


def go_on(phone: Phone, url: str, offset: int, content: bytes, **headers: str) -> httpx.Response:
    more = {
        "Tus-Resumable": "1.0.0",
        "Upload-Offset": str(offset),
        "Content-Type": "application/offset+octet-stream",
    }
    return phone.client.patch(url, headers=more | headers, content=content)


def far(phone: Phone, url: str) -> httpx.Response:
    return phone.client.head(url, headers={"Tus-Resumable": "1.0.0"})


def stored(phone: Phone, file: bytes, id: str) -> bool:
    """Whether the file is there under this id: sending it again is a repeat."""
    return hand_in(phone, file, id).status_code == 200


def test_the_server_says_what_of_tus_it_speaks(server: Server):
    answer = httpx.options(f"{server.url}/driver/v1/uploads")
    assert answer.status_code == 204
    assert answer.headers["tus-version"] == "1.0.0"
    assert answer.headers["tus-max-size"] == str(MOST_BYTES)
    extensions = set(answer.headers["tus-extension"].split(","))
    assert extensions == {"creation", "creation-with-upload", "checksum", "expiration", "termination"}
    assert "sha1" in answer.headers["tus-checksum-algorithm"].split(",")


def test_an_upload_goes_on_piece_by_piece(phone: Phone):
    file, id = noise((200, 200)), str(uuid.uuid4())
    made = begin(phone, len(file), id)
    assert (made.status_code, made.headers["tus-resumable"]) == (201, "1.0.0")
    url = made.headers["location"]
    assert "upload-expires" in made.headers
    for first in range(0, len(file), 10_000):
        told = far(phone, url)
        assert (told.status_code, told.headers["upload-offset"]) == (200, str(first))
        assert told.headers["upload-length"] == str(len(file))
        assert told.headers["cache-control"] == "no-store"
        assert told.headers["upload-metadata"] == meta(id)
        answer = go_on(phone, url, first, file[first : first + 10_000])
        assert answer.status_code == 204, answer.text
    assert answer.headers["upload-offset"] == str(len(file))
    assert far(phone, url).headers["upload-offset"] == str(len(file))
    assert stored(phone, file, id)


def test_an_upload_may_begin_with_its_first_bytes(phone: Phone):
    file, id = picture(), str(uuid.uuid4())
    headers = {
        "Tus-Resumable": "1.0.0",
        "Upload-Length": str(len(file)),
        "Upload-Metadata": meta(id),
        "Content-Type": "application/offset+octet-stream",
    }
    answer = phone.client.post("/driver/v1/uploads", headers=headers, content=file)
    assert (answer.status_code, answer.headers["upload-offset"]) == (201, str(len(file)))
    assert stored(phone, file, id)


def test_a_wrong_offset_is_a_conflict(same_phone: Phone):
    url = begin(same_phone, 100).headers["location"]
    assert code(go_on(same_phone, url, 50, b"x"))[0] == 409
    assert go_on(same_phone, url, 0, b"12345").headers["upload-offset"] == "5"
    assert code(go_on(same_phone, url, 0, b"12345"))[0] == 409
    assert far(same_phone, url).headers["upload-offset"] == "5"


def test_a_wrong_checksum_takes_the_piece_back(same_phone: Phone):
    file, id = picture(), str(uuid.uuid4())
    url = begin(same_phone, len(file), id).headers["location"]
    half = len(file) // 2
    wrong = base64.b64encode(bytes(20)).decode()
    refused = go_on(same_phone, url, 0, file[:half], **{"Upload-Checksum": f"sha1 {wrong}"})
    assert code(refused) == (460, "ERR_CHUNK_CHECKSUM")
    assert far(same_phone, url).headers["upload-offset"] == "0"
    for first, last, name in ((0, half, "sha1"), (half, len(file), "sha256")):
        right = base64.b64encode(hashlib.new(name, file[first:last]).digest()).decode()
        answer = go_on(same_phone, url, first, file[first:last], **{"Upload-Checksum": f"{name} {right}"})
        assert answer.status_code == 204, answer.text
    assert stored(same_phone, file, id)
    for odd in ("crc32 AAAA", "sha1", "sha1 !!", "sha1 AAAA", ""):
        url = begin(same_phone, 10).headers["location"]
        assert code(go_on(same_phone, url, 0, b"x", **{"Upload-Checksum": odd}))[0] == 400


def test_an_upload_that_is_given_up_is_gone(same_phone: Phone):
    url = begin(same_phone, 100).headers["location"]
    go_on(same_phone, url, 0, b"12345")
    assert same_phone.client.delete(url, headers={"Tus-Resumable": "1.0.0"}).status_code == 204
    assert far(same_phone, url).status_code == 404
    assert code(go_on(same_phone, url, 5, b"x"))[0] == 404


def test_a_client_that_cannot_patch_posts_instead(same_phone: Phone):
    file, id = picture(), str(uuid.uuid4())
    url = begin(same_phone, len(file), id).headers["location"]
    headers = {
        "Tus-Resumable": "1.0.0",
        "X-HTTP-Method-Override": "PATCH",
        "Upload-Offset": "0",
        "Content-Type": "application/offset+octet-stream",
    }
    assert same_phone.client.post(url, headers=headers, content=file).status_code == 204
    assert stored(same_phone, file, id)


def test_what_breaks_the_protocol_is_refused(same_phone: Phone):
    file = picture()
    assert begin(same_phone, 10, **{"Tus-Resumable": "0.2.2"}).status_code == 412
    assert begin(same_phone, 10, **{"Tus-Resumable": "0.2.2"}).headers["tus-version"] == "1.0.0"
    assert begin(same_phone, MOST_BYTES + 1).status_code == 413
    for length in ("-1", "x", "1.5", "", "9" * 30):
        assert begin(same_phone, 1, **{"Upload-Length": length}).status_code == 400, length
    assert begin(same_phone, 0).status_code == 400
    for metadata in (
        "",
        "id !!!,kind aW1hZ2U=",
        "kind aW1hZ2U=",
        meta("x"),
        meta(str(uuid.uuid4()), "selfie"),
        "a" * 9000,
    ):
        assert begin(same_phone, 1, **{"Upload-Metadata": metadata}).status_code == 400, metadata[:50]
    assert begin(same_phone, 1, **{"Upload-Defer-Length": "1"}).status_code == 400
    url = begin(same_phone, len(file)).headers["location"]
    assert go_on(same_phone, url, 0, file, **{"Content-Type": "image/png"}).status_code == 415
    assert go_on(same_phone, url, 0, file + b"more").status_code == 413
    assert same_phone.client.post(url, headers={"Tus-Resumable": "1.0.0"}).status_code == 405
    for name in ("x", "../../secret", "0" * 32, "%00", "a" * 5000):
        assert far(same_phone, f"/driver/v1/uploads/{name}").status_code in (400, 404), name


def test_what_turns_out_to_be_no_picture_is_refused_at_the_end(same_phone: Phone):
    url = begin(same_phone, 5).headers["location"]
    assert code(go_on(same_phone, url, 0, b"hello")) == (400, "ERR_FILE_INVALID")
    assert far(same_phone, url).status_code == 404


def test_another_drivers_upload_does_not_exist(company: Company, phone: Phone):
    url = begin(phone, 10).headers["location"]
    for stranger in (company.driver("Ben"), company.server.account().driver("Cid")):
        assert far(stranger, url).status_code == 404
        assert go_on(stranger, url, 0, b"x").status_code == 404
        assert stranger.client.delete(url, headers={"Tus-Resumable": "1.0.0"}).status_code == 404
    assert far(phone, url).headers["upload-offset"] == "0"


def test_a_phone_that_comes_back_need_not_wait_for_its_old_connection_to_be_missed(server: Server, same_phone: Phone):
    file, id = noise((800, 700)), str(uuid.uuid4())
    url = begin(same_phone, len(file), id).headers["location"]
    arriving = server.data / "uploads" / f"{url.rpartition('/')[2]}.part"
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as stuck:
        head = (
            f"PATCH {url} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {same_phone.token}\r\nTus-Resumable: 1.0.0\r\n"
        )
        head += "Content-Type: application/offset+octet-stream\r\nUpload-Offset: 0\r\n"
        stuck.sendall(f"{head}Content-Length: {len(file)}\r\n\r\n".encode() + file[:400_000])
        eventually(lambda: arriving.stat().st_size, what="the first bytes")
        first = int(far(same_phone, url).headers["upload-offset"])
        assert 0 < first <= 400_000
        assert go_on(same_phone, url, first, file[first:]).status_code == 204
    assert stored(same_phone, file, id)
    assert "Traceback" not in server.tail()


class Cutting:
    """Stands between a client and the server, and cuts each connection after so many bytes of the client's."""

    def __init__(self, port: int, after: int) -> None:
        self.after, self.cuts, self._target = after, 0, port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _carry(self, client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", self._target)) as server:
            threading.Thread(target=self._back, args=(server, client), daemon=True).start()
            carried = 0
            while data := client.recv(8192):
                carried += len(data)
                server.sendall(data)
                if carried > self.after:
                    self.cuts += 1
                    return

    @staticmethod
    def _back(server: socket.socket, client: socket.socket) -> None:
        try:
            while data := server.recv(8192):
                client.sendall(data)
        except OSError:
            return

    def close(self) -> None:
        self._listener.close()


def test_somebody_elses_client_gets_a_file_through_a_connection_that_is_cut_again_and_again(
    server: Server, phone: Phone
):
    file, id = noise((500, 400)), str(uuid.uuid4())
    cutting = Cutting(server.port, after=60_000)
    client = TusClient(f"http://127.0.0.1:{cutting.port}/driver/v1/uploads", headers=bearer(phone.token))
    uploader = client.uploader(
        file_stream=io.BytesIO(file),
        metadata={"id": id, "kind": "image"},
        retries=20,
        retry_delay=0,
        upload_checksum=False,
    )
    try:
        uploader.upload()
    finally:
        cutting.close()
    assert cutting.cuts >= 2
    assert stored(phone, file, id)


def test_somebody_elses_client_with_checksums_gets_a_file_through(server: Server, phone: Phone):
    file, id = noise((300, 200)), str(uuid.uuid4())
    client = TusClient(f"{server.url}/driver/v1/uploads", headers=bearer(phone.token))
    metadata = {"id": id, "kind": "signature", "filename": "../ž.png"}
    client.uploader(file_stream=io.BytesIO(file), metadata=metadata, chunk_size=9000, upload_checksum=True).upload()
    assert stored(phone, file, id)


def test_an_upload_goes_on_after_the_server_was_killed(tmp_path):
    own = Server(tmp_path / "data").start()
    try:
        phone = own.account().driver("Ana")
        file, id = noise((300, 300)), str(uuid.uuid4())
        url = begin(phone, len(file), id).headers["location"]
        assert go_on(phone, url, 0, file[:50_000]).status_code == 204
        own.kill()
        own.start()
        assert far(phone, url).headers["upload-offset"] == "50000"
        assert go_on(phone, url, 50_000, file[50_000:]).status_code == 204
        assert stored(phone, file, id)
        whole, other = picture("pink"), str(uuid.uuid4())
        assert hand_in(phone, whole, other).status_code == 201
        own.kill()
        own.start()
        assert stored(phone, whole, other)
        assert far(phone, url).headers["upload-offset"] == str(len(file))
    finally:
        own.kill()


def test_a_link_that_was_altered_opens_nothing(company: Company, phone: Phone):
    [order_id] = order_ids(sent_day(company, phone, 1))
    id = str(uuid.uuid4())
    act(phone, action("success", NOON_S, orderId=order_id, form={"signature": id}))
    assert hand_in(phone, picture(), id, kind="signature").status_code == 201
    told = company.v1("get_completion_details", {"orders": [{"id": order_id}]})["orders"][0]["data"]
    url = told["form"]["signature"]["url"]
    assert httpx.get(url).status_code == 200
    base, _, link = url.rpartition("/")
    account, sha256, kind, way, ends, seal = link.split(".")
    altered = [
        ".".join([account[::-1], sha256, kind, way, ends, seal]),
        ".".join([account, sha256[::-1], kind, way, ends, seal]),
        ".".join([account, sha256, "pdf", way, ends, seal]),
        ".".join([account, sha256, kind, "c" if way == "o" else "o", ends, seal]),
        ".".join([account, sha256, kind, way, str(int(ends) + 86_400), seal]),
        ".".join([account, sha256, kind, way, ends, seal[:-1] + ("0" if seal[-1] != "0" else "1")]),
        ".".join([account, sha256, kind, way, ends, seal.upper()]),
        ".".join([account, sha256, kind, way, ends]),
        sha256,
        f"..%2f{link}",
        f"{link}%00",
        "é" * 40,
    ]
    for each in altered:
        if each != link:
            assert httpx.get(f"{base}/{each}").status_code in (403, 404), each
