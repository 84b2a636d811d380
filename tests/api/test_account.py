"""Keys, settings, pairing, devices and messages."""

import httpx
import pytest

from tests.serving import Company, Server, bearer


@pytest.mark.parametrize("how", ["query", "bearer", "header"])
def test_a_key_is_accepted_in_three_places(server: Server, company: Company, how: str) -> None:
    params = {"key": company.key} if how == "query" else {}
    headers = {"bearer": bearer(company.key), "header": {"X-API-Key": company.key}}.get(how, {})
    assert httpx.get(f"{server.url}/api/settings", params=params, headers=headers).status_code == 200


@pytest.mark.parametrize("secret", ["", "nonsense", "ä" * 20, "x" * 10_000, "' OR 1=1 --"])
def test_no_key_and_a_wrong_key_are_401_with_a_code(server: Server, secret: str) -> None:
    answer = httpx.get(f"{server.url}/api/settings", params={"key": secret} if secret else {})
    assert answer.status_code == 401
    assert answer.json()["code"] == "ERR_UNAUTHENTICATED"
    assert answer.headers["www-authenticate"] == "Bearer"


def test_a_key_in_other_case_or_cut_short_or_taken_back_is_worth_nothing(server: Server, company: Company) -> None:
    made = company.client.post("/api/keys", json={"role": "tenant", "name": "second"}).json()
    second = httpx.Client(base_url=server.url, headers=bearer(made["key"]))
    assert second.get("/api/settings").status_code == 200
    for altered in (made["key"].swapcase(), made["key"][:-1], made["key"] + "A"):
        assert httpx.get(f"{server.url}/api/settings", headers=bearer(altered)).status_code == 401
    listed = company.client.get("/api/keys").json()["items"]
    assert {each["name"] for each in listed} == {"first key", "second"}
    assert "key" not in listed[0]
    assert company.client.delete(f"/api/keys/{made['id']}").status_code == 204
    assert second.get("/api/settings").status_code == 401


@pytest.mark.parametrize(
    "given",
    [
        {"role": "customer", "name": "no customer"},
        {"role": "tenant", "name": "too much", "customer": "Shop"},
        {"role": "subcontractor", "name": "none"},
        {"role": "king", "name": "no such role"},
    ],
)
def test_a_key_whose_role_and_scope_do_not_fit_is_refused(company: Company, given: dict[str, str]) -> None:
    assert company.client.post("/api/keys", json=given).status_code == 400


@pytest.mark.parametrize("role", ["viewer", "customer", "subcontractor"])
def test_a_lesser_key_changes_nothing_of_the_account(server: Server, company: Company, role: str) -> None:
    scope = {"customer": {"customer": "Shop"}, "subcontractor": {"subcontractor": "Sub"}}.get(role, {})
    key = company.client.post("/api/keys", json={"role": role, "name": role, **scope}).json()["key"]
    lesser = httpx.Client(base_url=server.url, headers=bearer(key))
    for method, path in [
        ("GET", "/api/settings"),
        ("PATCH", "/api/settings"),
        ("GET", "/api/keys"),
        ("POST", "/api/keys"),
        ("PUT", "/api/fleet"),
        ("POST", "/api/drivers"),
        ("GET", "/api/vehicles"),
        ("GET", "/api/locations"),
        ("POST", "/api/plans/2026-03-02/send"),
        ("POST", "/api/drivers/x/pairing"),
        ("GET", "/api/drivers/x/messages"),
    ]:
        answer = lesser.request(method, path, json={} if method in ("POST", "PUT", "PATCH") else None)
        assert answer.status_code == 403, f"{role} {method} {path}: {answer.status_code}"
        assert answer.json()["code"] == "ERR_FORBIDDEN"


def test_a_viewer_sees_drivers_without_contact_data(server: Server, company: Company) -> None:
    company.client.post("/api/drivers", json={"name": "Ana", "phone": "+385 1", "email": "ana@example.com"})
    key = company.client.post("/api/keys", json={"role": "viewer", "name": "wall"}).json()["key"]
    driver = httpx.get(f"{server.url}/api/drivers", headers=bearer(key)).json()["items"][0]
    assert driver["name"] == "Ana"
    assert not driver.keys() & {"phone", "email"}


def test_settings_are_changed_by_name_and_wrong_ones_are_refused_by_name(company: Company) -> None:
    changed = company.client.patch(
        "/api/settings",
        json={
            "timeZone": "Europe/Zagreb",
            "proofOfDelivery": {"success": {"signature": "required"}},
            "orderTracking": "off",
        },
    ).json()
    assert changed["timeZone"] == "Europe/Zagreb"
    assert changed["orderTracking"] is False
    assert changed["proofOfDelivery"]["success"] == {
        "note": "optional",
        "signature": "required",
        "images": "optional",
        "barcode": "optional",
    }
    assert changed["maxConcurrentRequests"] == 5
    assert company.client.get("/api/settings").json() == changed
    for wrong, where in [
        ({"timeZone": "Mars/Olympus"}, "timeZone"),
        ({"circuity": 0.5}, "circuity"),
        ({"nonsense": 1}, "nonsense"),
        ({"proofOfDelivery": {"success": {"song": "required"}}}, "proofOfDelivery.success.song"),
        ({"averageSpeedKmh": "fast"}, "averageSpeedKmh"),
    ]:
        answer = company.client.patch("/api/settings", json=wrong)
        assert answer.status_code == 400
        assert answer.json()["where"] == where


def test_a_phone_is_signed_out_by_deleting_its_device(company: Company) -> None:
    phone = company.driver()
    devices = company.client.get(f"/api/drivers/{phone.driver_id}/devices").json()["items"]
    assert [device["platform"] for device in devices] == ["android"]
    assert phone.client.get("/driver/v1/route").status_code == 200
    assert company.client.delete(f"/api/devices/{devices[0]['id']}").status_code == 204
    assert phone.client.get("/driver/v1/route").status_code == 401


def test_a_phones_token_is_no_key_and_a_key_is_no_phones_token(company: Company) -> None:
    phone = company.driver()
    assert phone.client.get("/api/drivers").status_code == 403
    assert company.client.get("/driver/v1/route").status_code == 403


def test_an_unknown_path_is_404_and_a_wrong_verb_is_405(company: Company) -> None:
    assert company.client.get("/api/nothing").json()["code"] == "ERR_NOT_FOUND"
    wrong = company.client.delete("/api/fleet")
    assert (wrong.status_code, wrong.json()["code"]) == (405, "ERR_METHOD_NOT_ALLOWED")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b'{"drivers": NaN}',
        b'{"drivers": [' + b"[" * 100_000,
        b'{"x":' * 100_000,
        b'{"drivers": [{"name": "\xff\xfe"}]}',
        b"\xef\xbb\xbf{}",
        '{"drivers": []}'.encode("utf-16"),
        b'{"drivers": [{"name": "\\ud800"}]}',
        b'{"vehicles": [{"capacity1": 1e400}]}',
        b'{"vehicles": [{"capacity1": ' + b"9" * 5000 + b"}]}",
    ],
)
def test_a_hostile_body_is_400_and_never_5xx(company: Company, body: bytes) -> None:
    answer = company.client.put("/api/fleet", content=body)
    assert answer.status_code == 400, answer.text
    assert answer.json()["code"] in ("ERR_MALFORMED", "ERR_INVALID")


def test_a_body_over_ten_mebibytes_is_413(company: Company) -> None:
    answer = company.client.put("/api/fleet", content=b'{"x": "' + b"a" * (10 * 1024 * 1024) + b'"}')
    assert answer.status_code == 413
    assert answer.json()["code"] == "ERR_TOO_LARGE"


def test_messages_go_both_ways_and_are_kept(company: Company) -> None:
    phone = company.driver()
    sent = company.client.post(f"/api/drivers/{phone.driver_id}/messages", json={"text": "Call the depot"}).json()
    assert sent["text"] == "Call the depot"
    listed = company.client.get(f"/api/drivers/{phone.driver_id}/messages").json()["items"]
    assert [(each["from"], each["text"]) for each in listed] == [("office", "Call the depot")]
