"""A phone and its driver over HTTP: pairing, tokens, messages."""

import httpx

from tests.api.days import DAY, NOON_S, fix, positions, problem, track
from tests.serving import Company, Phone, Server, bearer, eventually


def test_pairing_gives_a_token_the_driver_and_the_account(server: Server, company: Company):
    driver = company.client.post("/api/drivers", json={"name": "Ana", "serial": "007"}).json()
    code = company.client.post(f"/api/drivers/{driver['id']}/pairing").json()["code"]
    told = httpx.post(f"{server.url}/driver/v1/pair", json={"code": code, "device": {"platform": "ios"}}).json()
    assert told["driver"] == {"id": driver["id"], "name": "Ana", "serial": "007"}
    assert told["account"]["timeZone"] == "UTC"
    assert httpx.get(f"{server.url}/driver/v1/route", headers=bearer(told["token"])).status_code == 200


def test_a_pairing_code_works_once(server: Server, company: Company):
    driver = company.client.post("/api/drivers", json={"name": "Ana"}).json()
    code = company.client.post(f"/api/drivers/{driver['id']}/pairing").json()["code"]
    assert httpx.post(f"{server.url}/driver/v1/pair", json={"code": code}).status_code == 200
    assert httpx.post(f"{server.url}/driver/v1/pair", json={"code": code}).status_code == 400


def test_ten_wrong_codes_make_an_address_wait(tmp_path):
    own = Server(tmp_path / "data").start()
    try:
        guess = {"code": "WRONG", "device": {}}
        answers = [httpx.post(f"{own.url}/driver/v1/pair", json=guess) for _ in range(11)]
        assert [answer.status_code for answer in answers] == [400] * 10 + [429]
        assert int(answers[-1].headers["retry-after"]) >= 1
        spoofed = httpx.post(f"{own.url}/driver/v1/pair", json=guess, headers={"X-Forwarded-For": "10.1.2.3"})
        assert spoofed.status_code == 429
    finally:
        own.kill()


def test_without_a_good_token_nothing_is_told(server: Server, company: Company, phone: Phone):
    token = phone.token
    altered = [token[:-1], token.swapcase(), token + "x", "x", "é" * 10, company.key]
    for secret in altered:
        answer = httpx.get(f"{server.url}/driver/v1/route", headers=[(b"authorization", f"Bearer {secret}".encode())])
        assert answer.status_code in (401, 403), secret
    assert httpx.post(f"{server.url}/driver/v1/positions", json={"positions": [fix(NOON_S)]}).status_code == 401


def test_a_revoked_token_is_good_for_nothing(company: Company, phone: Phone):
    assert positions(phone, [fix(NOON_S)]).status_code == 200
    [device] = company.client.get(f"/api/drivers/{phone.driver_id}/devices").json()["items"]
    assert company.client.delete(f"/api/devices/{device['id']}").status_code in (200, 204)
    problem(positions(phone, [fix(NOON_S + 1)]), 401, "ERR_UNAUTHENTICATED")
    assert len(track(company, phone)) == 1


def test_a_phones_token_opens_nothing_of_the_office(company: Company, phone: Phone):
    for path in ("/api/drivers", "/api/settings", "/api/keys", f"/api/routes?date={DAY}", "/api/orders"):
        assert phone.client.get(path).status_code == 403, path


def test_an_api_key_is_no_phone(company: Company):
    for method, path in (("GET", "route"), ("POST", "positions"), ("POST", "actions"), ("POST", "attachments")):
        answer = company.client.request(method, f"/driver/v1/{path}", content=b"{}")
        assert answer.status_code == 403, path


def test_messages_go_both_ways(company: Company, phone: Phone):
    assert phone.client.post("/driver/v1/messages", json={"id": "m1", "text": "flat tyre"}).json() == {"id": "m1"}
    again = phone.client.post("/driver/v1/messages", json={"id": "m1", "text": "flat tyre"}).json()
    assert again == {"id": "m1", "duplicate": True}
    assert company.client.post(f"/api/drivers/{phone.driver_id}/messages", json={"text": "wait"}).status_code < 300

    def both() -> list[str]:
        return [each["text"] for each in phone.client.get("/driver/v1/messages").json()["items"]]

    assert eventually(both) == ["flat tyre", "wait"]
    for body in ({}, {"id": "", "text": "x"}, {"id": "a", "text": ""}, {"id": "a", "text": "a\x00"}):
        assert phone.client.post("/driver/v1/messages", json=body).status_code == 400
