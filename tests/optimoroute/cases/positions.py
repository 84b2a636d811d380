"""update_drivers_positions."""

from typing import Any

from tests.optimoroute.scenes import AT, fleet, twins
from tests.optimoroute.table import MORE, Case, Name, Play, Stage, Step, office, post, refused

REQUEST, RESPONSE, ERRORS = (f"update_drivers_positions/{part}/" for part in ("request", "response", "errors"))
D1, D2 = {"externalId": "D1"}, {"serial": "S2"}
FULL = {"latitude": 45.805945, "longitude": 16.237825, "speed": 20.3, "accuracy": 10.1, "heading": 34.2}


def fixes(count: int = 2, **fields: Any) -> list[dict[str, Any]]:
    return [{"timestamp": AT + n, "latitude": 45.8, "longitude": 16.2} | fields for n in range(count)]


def of(driver: Any, positions: Any) -> dict[str, Any]:
    return {"driver": driver, "positions": positions}


def update(*pairs: tuple[Any, dict[Any, Any]], key: Any = ...) -> Step:
    """The objects of one call, each with what is to be answered of it."""
    answer = {"success": any(told["success"] for _, told in pairs), "updates": [told for _, told in pairs]}
    return post("update_drivers_positions", {"updates": [item for item, _ in pairs]}, answer, key=key)


def stored(driver: str, *expected: dict[str, Any]) -> Play:
    """The driver's track, which has exactly these positions."""

    def play(stage: Stage) -> None:
        query = {"from": "2026-03-02T00:00:00Z", "to": "2026-03-03T00:00:00Z"}
        path = f"/api/drivers/{stage.phone(driver).driver_id}/track"
        Step("GET", path, query=query, answer={"items": list(expected)})(stage)

    return play


CASES = [
    Case(
        "Positions of several drivers, named in either way, are stored once each with all that they tell.",
        [
            REQUEST + "updates",
            REQUEST + "Driver Positions/driver",
            REQUEST + "Driver Positions/positions",
            RESPONSE + "success",
            RESPONSE + "updates",
            RESPONSE + "Driver Response/success",
            RESPONSE + "Driver Response/driver",
            *(f"objects/Position/{name}" for name in ("timestamp", "latitude", "longitude")),
            *(f"objects/Position/{name}" for name in ("accuracy", "speed", "heading")),
        ],
        fleet(3),
        *(
            update(
                (of(D1, [FULL | {"timestamp": AT + 4}, FULL | {"timestamp": AT}]), {"success": True, "driver": D1}),
                (of(D2, fixes(100)), {"success": True, "driver": D2}),
                (
                    of({"externalId": "D3", "serial": "S3"}, fixes(1)),
                    {"success": True, "driver": {"externalId": "D3", "serial": "S3"}},
                ),
            )
            for _ in range(2)
        ),
        stored("D1", FULL | {"timestamp": AT}, FULL | {"timestamp": AT + 4}),
        stored("D2", *fixes(100)),
        stored("D3", *fixes(1)),
    ),
    Case(
        "An update for nobody, for two, or one of two for the same driver is refused alone.",
        [
            RESPONSE + "Driver Response/code",
            RESPONSE + "Driver Response/message",
            *(ERRORS + code for code in ("ERR_DRIVER_NOT_FOUND", "ERR_MULTIPLE_DRV", "ERR_MULTIPLE_DRV_POS")),
        ],
        fleet(3),
        *twins(),
        update(
            (of(D2, fixes()), {"success": True, "driver": D2}),
            (of({"serial": "twin"}, fixes()), refused("ERR_MULTIPLE_DRV", driver={"serial": "twin"})),
            (of({"externalId": "S3"}, fixes()), refused("ERR_DRIVER_NOT_FOUND", driver={"externalId": "S3"})),
            (
                of({"externalId": "D3", "serial": "S2"}, fixes()),
                refused("ERR_DRIVER_NOT_FOUND", driver={"externalId": "D3", "serial": "S2"}),
            ),
            (of(D1, fixes()), refused("ERR_MULTIPLE_DRV_POS", driver=D1)),
            (of({"serial": "S1"}, []), refused("ERR_MULTIPLE_DRV_POS", driver={"serial": "S1"})),
        ),
        stored("D1"),
        stored("D2", *fixes()),
        update((of({"serial": "none"}, fixes()), refused("ERR_DRIVER_NOT_FOUND", driver={"serial": "none"}))),
    ),
    Case(
        "A driver has one to a hundred positions in a call, and if one of them does not fit, none is stored.",
        [REQUEST + "Driver Positions/positions", "general/errors/ERR_INVALID_PARAM_FORMAT"],
        fleet(2),
        *(
            update((of(D1, given), refused("ERR_INVALID_PARAM_FORMAT", driver=D1)))
            for given in (
                [],
                "none",
                ["x"],
                fixes(101),
                fixes(latitude=91),
                fixes(longitude=-181),
                fixes(latitude="45.8"),
                fixes(heading=361),
                fixes(timestamp=AT * 1000),
                fixes(timestamp="2026-03-02T09:00:00"),
                [*fixes(), {"timestamp": 4e9, "latitude": 45.8, "longitude": 16.2}],
            )
        ),
        *(
            update((item, refused("ERR_MISSING_MAND_FIELD", driver=D1)))
            for item in (
                {"driver": D1},
                of(D1, [*fixes(), {"latitude": 1, "longitude": 1}]),
                of(D1, [{"timestamp": AT, "longitude": 1}]),
                of(D1, [{"timestamp": AT, "latitude": 1}]),
            )
        ),
        update(
            ({"positions": fixes()}, refused("ERR_MISSING_MAND_FIELD")),
            (of({}, fixes()), refused("ERR_INVALID_PARAM_FORMAT")),
            (of("D1", fixes()), refused("ERR_INVALID_PARAM_FORMAT")),
            ("D1", refused("ERR_INVALID_PARAM_FORMAT")),
            (of(D2, fixes()), {"success": True, "driver": D2}),
        ),
        stored("D1"),
        stored("D2", *fixes()),
        post("update_drivers_positions", {}, refused("ERR_MISSING_MAND_FIELD")),
        post("update_drivers_positions", {"updates": []}, refused("ERR_INVALID_PARAM_FORMAT")),
        post("update_drivers_positions", {"updates": {}}, refused("ERR_INVALID_PARAM_FORMAT")),
    ),
    Case(
        "A subcontractor reports for its own drivers alone.",
        [ERRORS + "ERR_DRIVER_NOT_FOUND"],
        fleet(1, subcontractor="Sub"),
        office("POST", "/api/drivers", {"name": "Own", "externalId": "OWN"}),
        office(
            *("POST", "/api/keys", {"role": "subcontractor", "name": "s", "subcontractor": "Sub"}),
            answer={"key": Name("sub"), **MORE},
        ),
        update(
            (of(D1, fixes()), {"success": True, "driver": D1}),
            (of({"externalId": "OWN"}, fixes()), refused("ERR_DRIVER_NOT_FOUND", driver={"externalId": "OWN"})),
            key=Name("sub"),
        ),
        stored("OWN"),
    ),
]
