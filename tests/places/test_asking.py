"""Geocoders on the network, against a server that speaks as they do and misbehaves on demand."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest

from backend.domain.geocoding import Lookup, Match
from backend.live.calls import Calls
from backend.places import asking, photon
from backend.places.asking import Asking
from backend.places.geocoder import Offline, choose
from tests.places.standin import StandIn, feature, place, standing_in
from tests.places.standin import photon as collection

ILICA = feature(45.8131, 15.969, housenumber="40", street="Ilica", city="Zagreb", postcode="10000", country="Croatia")
ADDRESS = "Ilica 40, Zagreb"
FOUND = Lookup((Match("40 Ilica, 10000 Zagreb, Croatia", 45.8131, 15.969),))


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The geocoder is a thread of this process: what stops one stops both, for longer than the client waits."""
    monkeypatch.setattr(asking, "PATIENCE_S", 60.0)
    monkeypatch.setattr(asking, "CONNECT_S", 60.0)


@pytest.fixture
def standin() -> Iterator[StandIn]:
    with standing_in() as standin:
        standin.answers[ADDRESS] = collection(ILICA)
        yield standin


@pytest.fixture
async def geocoder(standin: StandIn) -> AsyncIterator[Asking]:
    geocoder = Asking(photon.DIALECT, standin.url, patience_s=60)
    yield geocoder
    await geocoder.close()


async def test_nobody_is_asked_where_there_is_no_geocoder() -> None:
    offline = choose("")
    assert isinstance(offline, Offline) and await offline.find(ADDRESS) == Lookup()
    await offline.close()


async def test_photon_is_asked_in_its_own_words(standin: StandIn) -> None:
    geocoder = choose(f"photon+{standin.url}/photon/?lang=de&bbox=13,42,20,47", "https://drive.example.com")
    assert await geocoder.find(ADDRESS) == FOUND
    await geocoder.close()
    (_, path, query, headers) = standin.asked[0]
    assert path == "/photon/api"
    assert query == {"q": [ADDRESS], "limit": ["5"], "lang": ["de"], "bbox": ["13,42,20,47"]}
    assert headers["User-Agent"] == "Codriver (+https://drive.example.com)"


async def test_an_old_photon_that_tells_no_types_is_understood(standin: StandIn, geocoder: Asking) -> None:
    known = {"city": "Zagreb", "kind": ""}
    house = feature(45.8131, 15.969, **known, housenumber="40", street="Ilica")
    street = feature(45.8125, 15.96, **known, name="Ilica")
    street["properties"]["osm_key"] = "highway"
    standin.answers |= {"Ilica 40, Zagreb": collection(street, house), "Ilica, Zagreb": collection(street)}
    for address, latitude in (("Ilica 40, Zagreb", 45.8131), ("Ilica, Zagreb", 45.8125)):
        (match,) = (await geocoder.find(address)).matches
        assert (match.latitude, match.partial) == (latitude, False)


async def test_nominatim_is_asked_in_its_own_words(standin: StandIn) -> None:
    label = "135, Pilkington Avenue, Maney, Sutton Coldfield, Birmingham, England, B72 1LH, United Kingdom"
    of = {"house_number": "135", "road": "Pilkington Avenue", "hamlet": "Maney", "city": "Birmingham"}
    house = place(52.5487921, -1.8164308, 30, label, **of, postcode="B72 1LH", country="United Kingdom")
    street = place(52.55, -1.82, 26, "Pilkington Avenue, Birmingham", "Pilkington Avenue", **of)
    standin.answers["135 Pilkington Ave, Birmingham, B72 1LH"] = [street, house]
    standin.answers["7 Pilkington Ave, Birmingham"] = [street]
    geocoder = choose(f"nominatim+{standin.url}?countrycodes=gb&email=ops@example.com")
    found = await geocoder.find("135 Pilkington Ave, Birmingham, B72 1LH")
    assert found == Lookup((Match(label, 52.5487921, -1.8164308),))
    near = await geocoder.find("7 Pilkington Ave, Birmingham")
    assert [(match.address, match.partial) for match in near.matches] == [("Pilkington Avenue, Birmingham", True)]
    assert await geocoder.find("nowhere") == Lookup()
    await geocoder.close()
    (_, path, query, _) = standin.asked[0]
    assert path == "/search" and query["format"] == ["jsonv2"] and query["addressdetails"] == ["1"]
    assert query["countrycodes"] == ["gb"] and query["email"] == ["ops@example.com"]


async def test_an_address_is_asked_for_once(standin: StandIn, geocoder: Asking) -> None:
    standin.speaking.clear()
    several = [asyncio.create_task(geocoder.find(each)) for each in (ADDRESS, ADDRESS, " ilica  40, ZAGREB ")]
    async with asyncio.timeout(60):
        while not standin.asked:
            await asyncio.sleep(0.01)
    several.pop().cancel()  # who goes away takes nothing from the others
    standin.speaking.set()
    assert await asyncio.gather(*several) == [FOUND, FOUND]
    assert await geocoder.find(ADDRESS) == FOUND and await geocoder.find("nowhere") == Lookup()
    await geocoder.find("nowhere")
    assert standin.questions() == [ADDRESS, "nowhere"]


TROUBLE: dict[str, tuple[Any, str]] = {
    "is overloaded": ((503, {}), "answered 503"),
    "does not want to": ((400, {}), "answered 400"),
    "has moved": ((301, {"Location": "/elsewhere?q=x"}), "answered 301"),
    "speaks HTML": (b"<html>welcome to the hotel's network</html>", "not understood"),
    "speaks of something else": ({"error": {"code": 400, "message": "q is missing"}}, "not understood"),
    "has places without coordinates": ({"features": [{"properties": {}}]}, "not understood"),
    "answers deep nonsense": (b"[" * 100_000, "not understood"),
    "answers no Unicode": (b'{"features": [{"properties": {"name": "\xff"}}]}', "not understood"),
    "hangs up": ("hang up", "cannot be reached"),
    "never ends": ("never end", "endless"),
}


@pytest.mark.parametrize("how", list(TROUBLE))
async def test_a_server_that_misbehaves_is_told_of_and_asked_again(
    standin: StandIn, geocoder: Asking, how: str
) -> None:
    standin.answers["odd"], told = TROUBLE[how]
    lookup = await geocoder.find("odd")
    assert lookup.matches == () and told in lookup.trouble
    standin.answers["odd"] = collection(ILICA)
    assert (await geocoder.find("odd")).matches, "what failed once is not remembered"


async def test_patience_ends_with_a_server_that_is_silent(standin: StandIn) -> None:
    standin.speaking.clear()
    geocoder = Asking(photon.DIALECT, standin.url, patience_s=0.2)
    began = time.monotonic()
    lookups = await asyncio.gather(*(geocoder.find(f"address {n}") for n in range(asking.WAITING + 20)))
    assert time.monotonic() - began < 30
    assert {lookup.trouble for lookup in lookups[: asking.WAITING]} == {"it did not answer within 0.2 s"}
    assert {lookup.trouble for lookup in lookups[asking.WAITING :]} == {"too many addresses are waiting for it"}
    await geocoder.close()


async def test_a_few_addresses_are_asked_for_at_a_time(standin: StandIn) -> None:
    standin.speaking.clear()
    geocoder = Asking(photon.DIALECT, standin.url, patience_s=60)
    several = [asyncio.create_task(geocoder.find(f"address {n}")) for n in range(5 * asking.AT_ONCE)]
    async with asyncio.timeout(60):
        while len(standin.asked) < asking.AT_ONCE:
            await asyncio.sleep(0.01)
        standin.speaking.set()
        assert {lookup.trouble for lookup in await asyncio.gather(*several)} == {""}
    assert len(standin.asked) == len(several) and standin.most_at_once == asking.AT_ONCE
    await geocoder.close()


async def test_a_server_that_is_gone_cannot_be_reached() -> None:
    with standing_in() as standin:
        geocoder = Asking(photon.DIALECT, standin.url, patience_s=60)
        assert (await geocoder.find("nowhere")).trouble == ""
    assert "cannot be reached" in (await geocoder.find(ADDRESS)).trouble
    await geocoder.close()


async def test_a_server_that_wants_a_pause_has_one(standin: StandIn, geocoder: Asking) -> None:
    standin.answers["too often"] = 429, {"Retry-After": "30"}
    assert "too often" in (await geocoder.find("too often")).trouble
    assert "not to be asked for" in (await geocoder.find(ADDRESS)).trouble
    assert standin.questions() == ["too often"]


async def test_a_pace_is_kept_by_all_who_share_a_place(standin: StandIn) -> None:
    place, turns = partial(Calls().place, "geocoder", 1), list[float]()

    @asynccontextmanager
    async def noted() -> AsyncIterator[bool]:
        async with place() as free:
            turns.extend([time.monotonic()] * free)
            yield free

    several = [Asking(photon.DIALECT, standin.url, pace_s=0.15, place=noted, patience_s=60) for _ in range(2)]
    await asyncio.gather(*(geocoder.find(f"address {n}") for n in range(3) for geocoder in several))
    for geocoder in several:
        await geocoder.close()
    assert len(turns) == 6 and all(later - earlier > 0.14 for earlier, later in itertools.pairwise(turns))
    asked = sorted(moment for moment, *_ in standin.asked)  # how soon a request is read hangs on who gets the processor
    assert all(turn < moment for turn, moment in zip(turns, asked, strict=True))
    async with place() as free:
        assert free, "whoever goes gives it back"


async def test_what_is_remembered_is_bounded_and_ends(
    standin: StandIn, geocoder: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "REMEMBERED", 3)
    monkeypatch.setattr(asking, "NOTHING_S", -1.0)
    standin.answers |= {f"address {n}": collection(ILICA) for n in range(5)}
    for n in (0, 1, 2, 0, 3, 0, 1):
        await geocoder.find(f"address {n}")
    await geocoder.find("nowhere")
    await geocoder.find("nowhere")
    asked = standin.questions()
    assert asked == ["address 0", "address 1", "address 2", "address 3", "address 1", "nowhere", "nowhere"]
