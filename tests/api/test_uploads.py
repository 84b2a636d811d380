"""Resumable uploads by the tus protocol, with somebody else's client too."""

import base64
import contextlib
import hashlib
import io
import os
import socket
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
from tusclient.client import TusClient

from tests.api.days import order_ids, sent_day
from tests.api.files import MOST_BYTES, Cutting, code, hand_in, noise, picture
from tests.serving import Company, Phone, Server, bearer, eventually


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


def test_a_file_for_an_order_of_somebody_else_is_refused_before_it_comes(company: Company, phone: Phone):
    [mine] = order_ids(sent_day(company, phone, 1))
    metadata = {"Upload-Metadata": meta(str(uuid.uuid4()), orderId=mine)}
    assert begin(phone, 10, **metadata).status_code == 201
    assert code(begin(company.driver("Ben"), 10, **metadata)) == (404, "ERR_ORDER_NOT_FOUND")


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
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as stuck:
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


def test_uploads_whose_disk_stands_still_keep_nothing_else_waiting(server: Server, company: Company, phone: Phone):
    """More of them than there are threads for files. A file that is a pipe is read when somebody writes."""
    urls = [begin(phone, 10).headers["location"] for _ in range(24)]
    pipes = [server.data / "uploads" / f"{url.rpartition('/')[2]}.upload" for url in urls]
    for pipe in pipes:
        pipe.unlink()
        os.mkfifo(pipe)
    held: dict[Path, int] = {}
    with ThreadPoolExecutor(len(urls)) as phones:
        asked = [phones.submit(far, phone, url) for url in urls]
        try:
            eventually(lambda: stand_still(pipes, held) >= 10, what="that many stand still")
            fix = {"timestamp": time.time(), "latitude": 45.8, "longitude": 16.0}
            sent = phone.client.post("/driver/v1/positions", json={"positions": [fix]}, timeout=60)
            assert sent.json()["accepted"] == 1
            track = f"/api/drivers/{phone.driver_id}/track"
            for form in ("csv", "gpx", "json"):
                assert "45.8" in company.client.get(track, params={"format": form}, timeout=60).text
            assert company.v1("start_planning", {"date": "2026-03-02"})["code"].startswith("ERR_")
            assert not any(one.done() for one in asked)
        finally:
            for writing in held.values():
                os.close(writing)
            eventually(lambda: not any(map(waited_for, pipes)) and all(one.done() for one in asked))
    assert {one.result().status_code for one in asked} == {404}


def stand_still(pipes: list[Path], held: dict[Path, int]) -> int:
    """How many of them somebody waits to read, who goes on waiting: they are held open to be written to."""
    for pipe in pipes:
        if pipe not in held:
            with contextlib.suppress(OSError):
                held[pipe] = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
    return len(held)


def waited_for(pipe: Path) -> bool:
    """Whether somebody was waiting to read it, who then reads that it is empty."""
    try:
        os.close(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
    except OSError:
        return False
    return True


def test_somebody_elses_client_gets_a_file_through_a_connection_that_is_cut_again_and_again(
    server: Server, phone: Phone
):
    file, id = noise((500, 400)), str(uuid.uuid4())
    cutting = Cutting(server.port, after=60_000)
    client = TusClient(f"http://127.0.0.1:{cutting.port}/driver/v1/uploads", headers=bearer(phone.token))
    uploader = client.uploader(
        file_stream=io.BytesIO(file),
        metadata={"id": id, "kind": "image"},
        retries=200,
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
