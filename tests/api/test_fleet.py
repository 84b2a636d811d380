"""The fleet document, and drivers, vehicles and locations one by one."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.serving import Company, Server, codriver

FLEET = {
    "skills": [{"code": "SK001", "name": "Fridge"}],
    "vehicleFeatures": [{"code": "FR", "name": "Freezer"}],
    "vehicles": [
        {
            "externalId": "V1",
            "registration": "VEH001",
            "label": "Van 1",
            "features": ["FR"],
            "capacity1": 100,
            "capacity2": 0,
        }
    ],
    "drivers": [
        {
            "externalId": "DRV001",
            "serial": "001",
            "name": "Ana",
            "skills": ["SK001"],
            "vehicle": "V1",
            "workTime": {"from": "08:00", "to": "17:00"},
            "enabled": True,
            "startLocation": {"latitude": 45.81, "longitude": 15.98, "address": "Depot"},
            "endLocation": {"latitude": 45.81, "longitude": 15.98, "address": "Depot"},
        }
    ],
    "locations": [
        {"locationNo": "L1", "locationName": "Shop", "address": "Ilica 1", "latitude": 45.8, "longitude": 15.9}
    ],
}


def test_the_fleet_document_creates_then_leaves_unchanged_then_updates(company: Company) -> None:
    first = company.client.put("/api/fleet", json=FLEET)
    assert first.status_code == 200, first.text
    one = {"created": 1, "updated": 0, "unchanged": 0}
    assert list(first.json()) == ["skills", "vehicleFeatures", "vehicles", "drivers", "locations"]
    assert all(count == one for count in first.json().values())
    again = company.client.put("/api/fleet", json=FLEET).json()
    assert all(count == {"created": 0, "updated": 0, "unchanged": 1} for count in again.values())
    changed = company.client.put("/api/fleet", json={"drivers": [{"externalId": "DRV001", "name": "Ana M."}]}).json()
    assert changed["drivers"] == {"created": 0, "updated": 1, "unchanged": 0}
    driver = company.client.get("/api/drivers").json()["items"][0]
    assert driver["name"] == "Ana M."
    assert driver["vehicle"] == "V1"  # what is not named stays as it is
    assert driver["workTime"] == {"from": "08:00", "to": "17:00"}


def test_a_fleet_of_ten_thousand_drivers_goes_in_one_call(company: Company) -> None:
    drivers = [{"externalId": f"D{number}", "name": f"Driver {number}"} for number in range(10_000)]
    counts = company.client.put("/api/fleet", json={"drivers": drivers}).json()
    assert counts["drivers"]["created"] == 10_000
    too_many = company.client.put("/api/fleet", json={"drivers": [*drivers, drivers[0]]})
    assert too_many.status_code == 400
    assert too_many.json()["where"] == "drivers"


def test_the_list_of_drivers_comes_in_pages_without_gap_or_repeat(company: Company) -> None:
    company.client.put("/api/fleet", json={"drivers": [{"externalId": f"D{n}", "name": f"N{n}"} for n in range(25)]})
    seen, cursor = [], None
    while True:
        page = company.client.get("/api/drivers", params={"limit": 10} | ({"cursor": cursor} if cursor else {})).json()
        seen += [driver["externalId"] for driver in page["items"]]
        cursor = page.get("cursor")
        if cursor is None:
            break
    assert sorted(seen) == sorted(f"D{n}" for n in range(25))


@pytest.mark.parametrize(
    ("document", "code", "where"),
    [
        ({"drivers": [{"externalId": "D"}]}, "ERR_INVALID", "drivers[0].name"),
        ({"drivers": [{"name": "A", "vehicle": "nowhere"}]}, "ERR_VEH_NOT_FOUND", "drivers[0].vehicle"),
        ({"drivers": [{"name": "A", "skills": ["x"]}]}, "ERR_SK_NOT_EXISTS", "drivers[0].skills"),
        ({"vehicles": [{"externalId": "V", "features": ["x"]}]}, "ERR_VF_NOT_EXISTS", "vehicles[0].features"),
        ({"drivers": [{"name": "A", "startLocation": {"latitude": 91, "longitude": 0}}]}, "ERR_INVALID", "drivers"),
        ({"drivers": [{"name": "A", "workTime": {"from": "8", "to": "17:00"}}]}, "ERR_INVALID", "drivers"),
        (
            {"drivers": [{"externalId": "D", "name": "A"}, {"externalId": "D", "name": "B"}]},
            "ERR_INVALID",
            "drivers[1]",
        ),
        ({"locations": [{"locationNo": "L", "latitude": 1}]}, "ERR_INVALID", "latitude"),
        ({"drivers": [{"name": "a\u0000b"}]}, "ERR_INVALID", None),
    ],
)
def test_a_document_that_does_not_fit_is_refused_whole_and_says_where(
    company: Company, document: dict[str, object], code: str, where: str | None
) -> None:
    answer = company.client.put("/api/fleet", json={"skills": [{"code": "NEW"}], **document})
    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == code
    assert (answer.json().get("where") or "").startswith(where or "")
    refused = company.client.put("/api/fleet", json={"skills": [{"code": "NEW"}]}).json()
    assert refused["skills"]["created"] == 1, "the refused document left a skill behind"


def test_two_drivers_created_one_by_one_may_share_an_external_id_which_the_document_then_cannot_name(
    company: Company,
) -> None:
    for _ in range(2):
        assert company.client.post("/api/drivers", json={"name": "Twin", "externalId": "T"}).status_code == 201
    answer = company.client.put("/api/fleet", json={"drivers": [{"externalId": "T", "name": "Which?"}]})
    assert answer.json()["code"] == "ERR_MULTIPLE_DRV"


def test_a_vehicle_and_a_location_can_be_created_changed_and_deleted(company: Company) -> None:
    vehicle = company.client.post("/api/vehicles", json={"registration": "ZG 1", "capacity1": 5, "capacity2": 7}).json()
    changed = company.client.patch(f"/api/vehicles/{vehicle['id']}", json={"capacity2": 8}).json()
    assert (changed["capacity1"], changed["capacity2"], changed["registration"]) == (5, 8, "ZG 1")
    assert company.client.delete(f"/api/vehicles/{vehicle['id']}").status_code == 204
    assert company.client.get(f"/api/vehicles/{vehicle['id']}").status_code == 404
    place = company.client.post("/api/locations", json={"address": "Somewhere"}).json()
    assert place["valid"] is False
    found = company.client.patch(f"/api/locations/{place['id']}", json={"latitude": 45.0, "longitude": 16.0}).json()
    assert found["valid"] is True
    assert company.client.delete(f"/api/locations/{place['id']}").status_code == 204


def test_of_those_who_change_one_vehicle_at_once_nobody_undoes_another(company: Company) -> None:
    path = "/api/vehicles/" + company.client.post("/api/vehicles", json={"registration": "ZG 1"}).json()["id"]
    with ThreadPoolExecutor(4) as together:
        for load in range(1, 6):
            names = [f"capacity{n}" for n in range(1, 5)]
            for answer in together.map(lambda name, load=load: company.client.patch(path, json={name: load}), names):
                assert answer.status_code == 200, answer.text
            vehicle = company.client.get(path).json()
            assert [vehicle[name] for name in names] == [load] * 4


@pytest.mark.parametrize("path", ["/api/skills", "/api/vehicle-features"])
def test_codes_are_created_listed_and_deleted_one_by_one(company: Company, path: str) -> None:
    made = [company.client.post(path, json={"code": "C", "name": name}).json() for name in ("One", "Two")]
    assert [each["code"] for each in made] == ["C", "C"]
    assert company.client.get(path, params={"limit": 1}).json()["items"] == made[:1]
    assert company.client.delete(f"{path}/{made[0]['id']}").status_code == 204
    assert company.client.get(path).json()["items"] == made[1:]
    assert company.client.delete(f"{path}/{made[0]['id']}").status_code == 404


def test_a_driver_has_breaks_that_do_not_overlap_and_fit_between_their_ends(company: Company) -> None:
    noon, tea = ({"from": h[0], "to": h[1], "durationMinutes": 30} for h in (("12:00", "13:00"), ("16:00", "17:00")))
    made = company.client.post("/api/drivers", json={"name": "Ana", "breaks": [tea, noon]})
    assert made.status_code == 201 and made.json()["breaks"] == [noon, tea]
    driver = f"/api/drivers/{made.json()['id']}"
    midnight = {"from": "23:45", "to": "00:15", "durationMinutes": 30}
    assert company.client.patch(driver, json={"breaks": [midnight]}).json()["breaks"] == [midnight]
    for wrong, where in (
        ([noon, noon], "breaks"),
        ([midnight, {"from": "00:10", "to": "01:00", "durationMinutes": 5}], "breaks"),
        ([noon | {"durationMinutes": 61}], "breaks[0].durationMinutes"),
        ([noon | {"from": "12"}], ""),
        ([noon | {"durationMinutes": 0}], ""),
        ([noon] * 6, ""),
    ):
        answer = company.client.patch(driver, json={"breaks": wrong})
        assert answer.status_code == 400 and where in answer.text, answer.text
    assert company.client.get(driver).json()["breaks"] == [midnight]


def test_a_driver_has_overtime_and_costs_and_a_vehicle_has_its_own(company: Company) -> None:
    given = {"name": "Ana", "overtimeMinutes": 60, "costPerHour": 25.5}
    made = company.client.post("/api/drivers", json=given).json()
    assert {name: made[name] for name in given} == given
    plain = company.client.patch(f"/api/drivers/{made['id']}", json={"costPerHour": None, "overtimeMinutes": 0}).json()
    assert plain["overtimeMinutes"] == 0 and "costPerHour" not in plain
    van = company.client.post("/api/vehicles", json={"registration": "ZG 1", "costPerKm": 0.35}).json()
    assert van["costPerKm"] == 0.35
    assert "costPerKm" not in company.client.patch(f"/api/vehicles/{van['id']}", json={"costPerKm": None}).json()
    assert company.client.patch(f"/api/vehicles/{van['id']}", json={"costPerKm": -1}).status_code == 400


def test_a_driver_that_is_removed_is_signed_out(company: Company) -> None:
    phone = company.driver()
    assert company.client.delete(f"/api/drivers/{phone.driver_id}").status_code == 204
    assert phone.client.get("/driver/v1/route").status_code == 401


def test_a_fleet_file_is_imported_while_the_server_serves(server: Server, company: Company, tmp_path: Path) -> None:
    file = tmp_path / "fleet.json"
    file.write_text('{"drivers": [{"externalId": "F1", "name": "From a file"}]}')
    server.account("Imported")
    run = codriver("fleet", "import", file, "--account", "Imported", "--data", server.data)
    assert run.returncode == 0, run.stderr
    assert "drivers: 1 created" in run.stdout


def test_an_account_is_created_on_the_command_line_with_a_key_that_works(server: Server) -> None:
    run = codriver("account", "create", "By Hand", "--data", server.data)
    assert run.returncode == 0, run.stderr
    key = run.stdout.strip()
    assert httpx.get(f"{server.url}/api/settings", params={"key": key}).status_code == 200
    twice = codriver("account", "create", "By Hand", "--data", server.data)
    assert twice.returncode == 1
    assert "ERR_ACCOUNT_EXISTS" in twice.stderr
