"""The published OpenAPI document: whole, and no request that it allows, nor one near it, gives a 5xx."""

import json

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.optimoroute.described import undescribed
from tests.serving import Company, Phone, Server, bearer

HOSTILE = [
    b"",
    b"null",
    b"[" * 50_000,
    b'{"a":' * 50_000,
    b"\xff\xfe",
    b'{"positions": [{"timestamp": NaN}]}',
    b'{"orders": [{"orderNo": "\\ud800"}]}',
    b'{"orders": 5}',
    b"[1, 2]",
    b'"text"',
    b'{"planningId": 99999999999999999999999999999999}',
]


@pytest.fixture(scope="module")
def company(server: Server) -> Company:
    return server.account()


@pytest.fixture(scope="module")
def phone(company: Company) -> Phone:
    return company.driver()


def test_the_document_describes_every_part_of_the_wire_and_every_body(server: Server) -> None:
    document = httpx.get(f"{server.url}/schema/openapi.json").json()
    paths = document["paths"]
    for part in ("/api/fleet", "/v1/get_events", "/driver/v1/positions", "/driver/v1/attachments", "/healthz"):
        assert part in paths
    without = [
        f"{method} {path}"
        for path, item in paths.items()
        for method, operation in item.items()
        if method in ("post", "put", "patch") and "requestBody" not in operation
        if not path.endswith(("/send", "/pairing")) and "uploads" not in path
    ]
    assert not without, f"these take a body that the document does not describe: {without}"
    assert httpx.get(f"{server.url}/schema/asyncapi.json").json()["asyncapi"].startswith("3.")


REFUSALS = {"MALFORMED_REQUEST", "ERR_MISSING_MAND_FIELD", "ERR_INVALID_PARAM_FORMAT"}


def test_the_documents_examples_are_taken_and_what_is_answered_is_described(server: Server, company: Company) -> None:
    paths = httpx.get(f"{server.url}/schema/openapi.json").json()["paths"]
    examples = {
        path: operation["requestBody"]["content"]["application/json"]["example"]
        for path, item in paths.items()
        if path.startswith("/v1/") and (operation := item.get("post"))
    }
    assert len(examples) == 15
    for path, item in paths.items():
        for verb, operation in item.items() if path.startswith("/v1/") else ():
            shown = operation["responses"]["200"]["content"]["application/json"]["example"]
            assert not undescribed(server.url, verb, path, shown), path
    for path, example in examples.items():
        told = company.v1(path.removeprefix("/v1/"), example)
        parts = [part for name in ("orders", "updates") for part in told.get(name, [])]
        codes = {part.get("code") for part in (told, *parts)}
        assert not codes & REFUSALS, f"{path}: {told}"
        assert not undescribed(server.url, "POST", path, told)


@pytest.mark.timeout(900)
def test_no_request_of_the_documents_own_making_gives_a_5xx(
    server: Server, company: Company, phone: Phone, request: pytest.FixtureRequest
) -> None:
    """Requests that fit the document and requests that nearly do, on every operation, with the right credentials."""
    schema = schemathesis.openapi.from_url(f"{server.url}/schema/openapi.json")
    bad: list[str] = []
    count = 0
    for result in schema.get_all_operations():
        operation = result.ok()
        if operation.path.startswith(("/operator", "/driver/v1/uploads")):
            continue
        strategy = operation.as_strategy() | operation.as_strategy(generation_mode=schemathesis.GenerationMode.NEGATIVE)

        @seed(request.config.option.seed)
        @settings(
            max_examples=12,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=strategy)
        def call(case: schemathesis.Case) -> None:
            nonlocal count
            count += 1
            secret = phone.token if case.path.startswith("/driver/") else company.key
            answer = case.call(headers=bearer(secret), timeout=60)
            wrong = answer.status_code >= 500 and answer.status_code != 503
            if case.path.startswith("/v1/"):  # the dialect, where nothing but an unknown path is any other status
                wrong = answer.status_code != 200 or bool(
                    undescribed(server.url, case.method, case.path, answer.json())
                )
                wrong = wrong or answer.json().get("code") == "ERR_INTERNAL"
            if wrong:
                bad.append(
                    f"{case.method} {case.formatted_path} {case.body!r:.300}: {answer.status_code} {answer.text:.300}"
                )

        call()
    assert not bad, "\n".join(bad[:10]) + "\n" + server.tail()
    assert count > 300


@given(st.sampled_from(HOSTILE))
@settings(deadline=None, database=None, suppress_health_check=list(HealthCheck), max_examples=len(HOSTILE))
def test_a_hostile_body_never_gives_a_5xx_on_any_route(
    server: Server, company: Company, phone: Phone, body: bytes
) -> None:
    document = httpx.get(f"{server.url}/schema/openapi.json").json()
    for path, item in document["paths"].items():
        for method in item.keys() & {"post", "put", "patch"}:
            secret = phone.token if path.startswith("/driver/") else company.key
            address = server.url + path.replace("{", "").replace("}", "")
            answer = httpx.request(method.upper(), address, content=body, headers=bearer(secret), timeout=60)
            assert answer.status_code < 500, f"{method} {path} {body[:60]!r}: {answer.status_code} {answer.text}"
            assert isinstance(json.loads(answer.content), dict)
