import base64
import hashlib
import random

import httpx
import pytest

from simulator.drawing import draw
from simulator.resumable import PIECE_BYTES, TRIES
from simulator.transport import Http, Unreachable
from simulator.wire import Attachment

FILE = Attachment(0, "419e328b-e9ce-5554-8b4d-eaaee1f34e25", "image", "image/1/x", "o1", resumable=True)


class Tus:
    """A stand-in that cuts connections, before or after it has stored a piece, and forgets some uploads."""

    def __init__(self, seed: int, cut: float = 0.0, forget: int = 0) -> None:
        self.rng, self.cut, self.forget = random.Random(seed), cut, forget
        self.made: dict[str, bytearray] = {}
        self.metadata: dict[str, str] = {}
        self.asked: list[str] = []

    async def answer(self, request: httpx.Request) -> httpx.Response:
        assert request.headers["Tus-Resumable"] == "1.0.0"
        self.asked.append(request.method)
        if self.rng.random() < self.cut:
            raise httpx.ReadError("cut")
        answer = self.take(request)
        if self.rng.random() < self.cut:
            raise httpx.ReadError("cut")
        return answer

    def take(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if request.method == "POST":
            place = f"/driver/v1/uploads/{len(self.made)}"
            self.made[place] = bytearray()
            pairs = (pair.split(" ") for pair in request.headers["Upload-Metadata"].split(","))
            self.metadata = {name: base64.b64decode(value).decode() for name, value in pairs}
            return httpx.Response(201, headers={"Location": place})
        if self.forget and self.made[path]:
            self.forget -= 1
            return httpx.Response(404)
        held = self.made[path]
        if request.method == "PATCH":
            assert int(request.headers["Upload-Offset"]) == len(held)
            digest = base64.b64encode(hashlib.sha256(request.content).digest()).decode()
            assert request.headers["Upload-Checksum"] == f"sha256 {digest}"
            held += request.content
        return httpx.Response(204, headers={"Upload-Offset": str(len(held))})


async def bring(tus: Tus) -> int:
    """Hand the file in until it is acknowledged; how many tries it took."""
    async with httpx.AsyncClient(base_url="http://x", transport=httpx.MockTransport(tus.answer)) as client:
        phone = Http(lambda: client, "token")
        for number in range(1, 200):
            try:
                assert await phone.deliver(FILE) == {}
                return number
            except Unreachable:
                continue
    raise AssertionError("never acknowledged")


async def test_a_file_goes_piece_by_piece_with_what_it_is():
    tus = Tus(1)
    await bring(tus)
    data = draw(FILE.drawing)
    assert tus.asked == ["POST"] + ["PATCH"] * -(-len(data) // PIECE_BYTES)
    assert bytes(tus.made["/driver/v1/uploads/0"]) == data
    assert tus.metadata == {"id": FILE.id, "kind": "image", "orderId": "o1", "filetype": "image/jpeg"}


async def test_a_cut_upload_goes_on_where_it_was(seed: int):
    tus = Tus(seed, cut=0.4)
    assert await bring(tus) >= 1
    assert bytes(list(tus.made.values())[-1]) == draw(FILE.drawing)


async def test_an_upload_that_the_server_forgot_is_begun_anew():
    tus = Tus(3, forget=1)
    assert await bring(tus) == 1
    assert len(tus.made) == 2 and bytes(tus.made["/driver/v1/uploads/1"]) == draw(FILE.drawing)


async def test_an_upload_that_the_server_forgets_time_and_again_is_tried_again_later():
    tus = Tus(3, forget=TRIES + 1)
    assert await bring(tus) == 2
    assert len(tus.made) == TRIES + 2 and bytes(list(tus.made.values())[-1]) == draw(FILE.drawing)


@pytest.mark.parametrize(("status", "code"), [(409, "ERR_ATTACHMENT_ID_REUSED"), (404, "ERR_ORDER_NOT_FOUND")])
@pytest.mark.parametrize("when", ["POST", "PATCH"])
async def test_a_file_that_is_refused_is_refused_for_good(status: int, code: str, when: str):
    tus = Tus(3)

    async def refusing(request: httpx.Request) -> httpx.Response:
        answer = await tus.answer(request)
        return httpx.Response(status, json={"code": code}) if request.method == when else answer

    async with httpx.AsyncClient(base_url="http://x", transport=httpx.MockTransport(refusing)) as client:
        assert await Http(lambda: client, "token").deliver(FILE) == {0: code}
    assert len(tus.made) == 1


@pytest.mark.parametrize("headers", [{"Upload-Offset": "0"}, {}, {"Upload-Offset": "soon"}])
async def test_an_upload_that_never_gets_further_is_left_for_later(headers: dict[str, str]):
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.method)
        return (
            httpx.Response(201, headers={"Location": "/u/1"})
            if request.method == "POST"
            else httpx.Response(204, headers=headers)
        )

    async with httpx.AsyncClient(base_url="http://x", transport=httpx.MockTransport(answer)) as client:
        with pytest.raises(Unreachable, match="an upload"):
            await Http(lambda: client, "token").deliver(FILE)
    assert asked == ["POST", "PATCH"]


async def test_an_upload_without_a_place_is_left_for_later():
    made = httpx.MockTransport(lambda _: httpx.Response(201))
    async with httpx.AsyncClient(base_url="http://x", transport=made) as client:
        with pytest.raises(Unreachable, match="where it is was not told"):
            await Http(lambda: client, "token").deliver(FILE)
