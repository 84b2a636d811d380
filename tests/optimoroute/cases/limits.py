"""How many requests a key may have at the same time; ``tests/optimoroute/test_limits.py`` says it at length."""

from tests.optimoroute.halfway import ASK, Wire
from tests.optimoroute.table import Case, Stage, get, office, refused
from tests.serving import eventually

TOO_MANY = refused("ERR_TOO_MANY_CONNECTIONS")


def one_too_many(stage: Stage) -> None:
    """While the body of one request is on its way, which holds the only place."""
    wire = _halfway(stage)

    def held() -> bool:
        nonlocal wire
        if wire.answered():  # it came while our own question held the place, and was the one to be refused
            wire.close()
            wire = _halfway(stage)
        return not stage.company.v1("get_events")["success"]

    eventually(held, what="a refusal")
    get("get_events", TOO_MANY)(stage)
    wire.send()
    assert wire.answer()["orders"][0]["code"] == "ERR_ORD_NOT_FOUND"
    wire.close()


def _halfway(stage: Stage) -> Wire:
    wire = Wire(stage.company)
    wire.send(len(ASK) - 1)
    return wire


CASES = [
    Case(
        "One request too many at the same time is refused; when there is a place again, it is answered.",
        ["general/errors/ERR_TOO_MANY_CONNECTIONS"],
        office("PATCH", "/api/settings", {"maxConcurrentRequests": 1}),
        one_too_many,
        get("get_events"),
    ),
]
