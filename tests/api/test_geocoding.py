"""Addresses of single orders, looked up at a geocoder on the network."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from backend.domain.errors import Refusal
from backend.settings import Settings
from tests.api.days import plan
from tests.places.standin import StandIn, feature, photon, standing_in
from tests.serving import Company, Server, eventually

DAY = "2026-03-02"
ILICA = feature(45.8131, 15.969, housenumber="40", street="Ilica", city="Zagreb", postcode="10000", country="Croatia")
STREET = feature(45.8125, 15.96, "street", name="Ilica", city="Zagreb", postcode="10000", country="Croatia")
OTHER = feature(46.3057, 16.3366, housenumber="40", street="Ilica", city="Varaždin", country="Croatia")
ONE, NEAR, SEVERAL, BOTH, NOWHERE = "Ilica 40, Zagreb", "Ilica 41, Zagreb", "Ilica 40", "Ilica 41", "Nowhere 1"
WHERE = "40 Ilica, 10000 Zagreb, Croatia"
EXACT = [WHERE, 45.8131, 15.969, False]
PARTIAL = ["Ilica, 10000 Zagreb, Croatia", 45.8125, 15.96, True]
ELSEWHERE = ["40 Ilica, Varaždin, Croatia", 46.3057, 16.3366, False]


@pytest.fixture(scope="module")
def standin() -> Iterator[StandIn]:
    with standing_in() as standin:
        standin.answers |= {
            ONE: photon(STREET, ILICA),
            NEAR: photon(STREET),
            SEVERAL: photon(ILICA, OTHER),
            BOTH: photon(STREET, OTHER),
        }
        yield standin


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, standin: StandIn) -> Iterator[Server]:
    setting = {"CODRIVER_GEOCODER": f"photon+{standin.url}"}
    data = tmp_path_factory.mktemp("served") / "data"
    running = Server(data, environment=setting, program="tests.api.patient").start()
    try:
        yield running
    finally:
        running.kill()


def create(company: Company, order_no: str, operation: str = "CREATE", **location: Any) -> dict[str, Any]:
    order = {"operation": operation, "orderNo": order_no, "date": DAY, "type": "D", "location": location}
    return company.v1("create_order", order)


def test_an_address_becomes_a_location_that_can_be_planned(company: Company) -> None:
    made = create(company, "A", address=ONE, locationName="Café", locationNo="L1")
    assert "code" not in made and made["geocodingResults"] == [EXACT]
    assert made["location"] == {
        "address": ONE,
        "locationName": "Café",
        "locationNo": "L1",
        "latitude": 45.8131,
        "longitude": 15.969,
        "valid": True,
        "checkInTime": 0,
        "notes": "",
    }


def test_a_known_location_is_used_and_nobody_is_asked(company: Company, standin: StandIn) -> None:
    create(company, "A", address=ONE)
    standin.asked.clear()
    again = create(company, "B", address=ONE)
    assert again["location"]["valid"] is True and "geocodingResults" not in again
    placed = create(company, "C", address="Ilica 99", locationName="Depot", latitude=1, longitude=2)
    assert placed["location"]["latitude"] == 1 and "geocodingResults" not in placed
    renamed = create(company, "D", address="Ilica 99", locationName="Gate")
    assert renamed["geocodingResults"] == [["Ilica 99", 1, 2, False]]
    assert create(company, "A", address="Ilica 123")["code"] == "ERR_ORD_EXISTS"
    assert standin.asked == [], "what needs no geocoder, or is refused anyhow, is not asked for"


@pytest.mark.parametrize(
    ("address", "accepted", "code", "results"),
    [
        (NOWHERE, {}, "ERR_LOC_GEOCODING", None),
        (NOWHERE, {"acceptPartialMatch": True, "acceptMultipleResults": True}, "ERR_LOC_GEOCODING", None),
        (NOWHERE, {"storeInvalid": True}, "WAR_LOC_GEOCODING", None),
        (NEAR, {}, "ERR_LOC_GEOCODING_PARTIAL", [PARTIAL]),
        (NEAR, {"storeInvalid": True}, "ERR_LOC_GEOCODING_PARTIAL", [PARTIAL]),
        (NEAR, {"acceptPartialMatch": True}, "WAR_LOC_GEOCODING_PARTIAL", [PARTIAL]),
        (SEVERAL, {}, "ERR_LOC_GEOCODING_MULTIPLE", [EXACT, ELSEWHERE]),
        (SEVERAL, {"acceptPartialMatch": True}, "ERR_LOC_GEOCODING_MULTIPLE", [EXACT, ELSEWHERE]),
        (SEVERAL, {"acceptMultipleResults": True}, "WAR_LOC_GEOCODING_MULTIPLE", [EXACT, ELSEWHERE]),
        (BOTH, {}, "ERR_LOC_GEOCODING_MULTIPLE", ...),
        (BOTH, {"acceptMultipleResults": True}, "ERR_LOC_GEOCODING_PARTIAL", ...),
        (BOTH, {"acceptMultipleResults": True, "acceptPartialMatch": True}, "WAR_LOC_GEOCODING_MULTIPLE", ...),
    ],
)
def test_a_doubtful_address_is_refused_or_warned_of(
    company: Company, address: str, accepted: dict[str, bool], code: str, results: Any
) -> None:
    answer = create(company, "A", address=address, **accepted)
    assert (answer["code"], answer["success"]) == (code, code.startswith("WAR")), answer
    assert answer["message"]
    if results is not ...:
        assert answer.get("geocodingResults") == results
    if answer["success"]:
        assert answer["location"]["valid"] is (address != NOWHERE)
        if address != NOWHERE:
            place = answer["location"]
            assert [place["latitude"], place["longitude"]] == answer["geocodingResults"][0][1:3]
    else:
        assert company.v1("get_orders", orderNo="A")["orders"][0]["code"] == "ERR_ORD_NOT_FOUND", "nothing was stored"


def test_a_geocoder_that_cannot_be_asked_is_told_apart_from_one_that_found_nothing(
    company: Company, standin: StandIn
) -> None:
    assert "nothing was found" in create(company, "A", address=NOWHERE)["message"]
    standin.answers["Main 1"] = 503, {}
    refused = create(company, "A", address="Main 1")
    assert refused["code"] == "ERR_LOC_GEOCODING" and "answered 503" in refused["message"]
    kept = create(company, "A", address="Main 1", storeInvalid=True)
    assert kept["code"] == "WAR_LOC_GEOCODING" and "answered 503" in kept["message"]
    standin.answers["Main 1"] = photon(feature(1, 2, housenumber="1", street="Main"))
    synced = create(company, "A", "SYNC", address="Main 1")
    assert synced["location"]["valid"] is True and "code" not in synced, "now it could be asked"
    eventually(lambda: "asked in vain" in company.server.tail(), what="a line in the log")
    log = company.server.tail()
    assert "Main" not in log and "Nowhere" not in log, "where people live is in no log"


def test_a_slow_geocoder_holds_nobody_else_up(company: Company, standin: StandIn) -> None:
    standin.answers["Slow 1"] = photon(feature(1, 2, housenumber="1", street="Slow"))
    standin.speaking.clear()
    with ThreadPoolExecutor(1) as other:
        try:
            slow = other.submit(create, company, "S", address="Slow 1")
            eventually(lambda: "Slow 1" in standin.questions(), what="the question")
            assert create(company, "A", address="x", latitude=1, longitude=2)["success"], "others are read and written"
            assert company.v1("get_orders", orderNo="A")["success"]
            assert not slow.done()
        finally:
            standin.speaking.set()
        assert slow.result()["location"]["valid"] is True


@pytest.mark.parametrize("way", ["the location", "the order", "the address"])
def test_a_location_that_was_stored_invalid_is_planned_once_it_is_corrected(company: Company, way: str) -> None:
    window = {"from": "00:00", "to": "23:59"}
    assert company.client.post("/api/drivers", json={"name": "Ana", "workTime": window}).status_code == 201
    create(company, "A", address=NOWHERE, storeInvalid=True)
    assert company.v1("start_planning", {"date": DAY})["code"] == "ERR_OPT_NO_REQUESTS"
    match way:
        case "the location":
            (place,) = company.client.get("/api/locations").json()["items"]
            assert place["valid"] is False
            corrected = {"latitude": 45.8, "longitude": 15.9}
            answer = company.client.patch(f"/api/locations/{place['id']}", json=corrected)
            assert answer.json()["valid"] is True, answer.text
        case "the order":
            place = {"latitude": 45.8, "longitude": 15.9, "locationName": "Shop"}
            update = {"operation": "UPDATE", "orderNo": "A", "location": place}
            assert company.v1("create_order", update)["location"]["valid"] is True
        case "the address":
            update = {"operation": "UPDATE", "orderNo": "A", "location": {"address": ONE}}
            assert company.v1("create_order", update)["geocodingResults"] == [EXACT]
    plan(company, DAY)
    assert company.v1("get_scheduling_info", orderNo="A")["orderScheduled"] is True


@pytest.mark.parametrize(
    "setting",
    ["photon", "https://photon.example.com", "google+https://example.com", "photon+ftp://x", "photon+https://", "+x",
     "nominatim+https://[x", "nominatim+https://x:99999", "photon+https://x y", "photon+http://x:0"],
)  # fmt: skip
def test_a_setting_that_names_no_geocoder_is_refused_at_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, setting: str
) -> None:
    monkeypatch.setenv("CODRIVER_GEOCODER", setting)
    with pytest.raises(Refusal) as refused:
        Settings.from_environment(data_dir=tmp_path)
    assert refused.value.code == "ERR_SETTING_INVALID" and "CODRIVER_GEOCODER" in refused.value.text
