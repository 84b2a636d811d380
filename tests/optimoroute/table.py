"""Recorded requests and answers of `/v1`, as data.

To add a case, put it into the list ``CASES`` of a module in ``cases/`` (any module there is found by itself)::

    Case(
        "An order number that is there already is refused.",
        ["create_order/errors/ERR_ORD_EXISTS"],  # the rows of the document that it shows
        post("create_order", ORDER),  # steps run one after the other; by default each has to succeed
        post("create_order", ORDER, refused("ERR_ORD_EXISTS")),
    )

Every case has an account of its own on one server that all cases share. A row is ``method/part/[Object/]name``: the
part is ``request``, ``response`` or ``errors``; the object is the heading over the table where it is not the method's
own, without the word Object ("create_order/request/Location/storeInvalid"). What stands before the first method is
``objects/Order/id`` and ``general/errors/…``. ``test_coverage.py`` prints the rows that no case names.

Steps: ``post(method, body)`` and ``get(method, **query)`` for `/v1`, ``office(verb, path, body)`` for `/api`,
``phone(driver, path, body)`` for the phone of the driver with this externalId (paired at its first use),
``plan(date)``, ``send(date)``. A step can also be a function that takes the ``Stage``.

The expected answer is a pattern, see ``mismatches``: plain values are exact, and an object has exactly the fields of
its pattern, so that what must be absent is. ``...`` is any value; the key ``...`` (``**MORE``) allows further fields;
``ABSENT`` is a field that may not be there even so; a type is any value of it; a compiled expression has to fit the
whole text; ``Name("x")`` is any value that is not empty, and the same wherever the name stands: in later answers and,
as what it was, in later requests.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import EllipsisType
from typing import Any

import httpx

from tests.optimoroute.described import undescribed
from tests.serving import Company, Phone, Server, eventually

PLANNED_S = 90.0  # the planner's processes share the machine with everything else


@dataclass(frozen=True, slots=True)
class Name:
    """A value that the server made, told later by this name."""

    name: str


class _Absent:
    def __repr__(self) -> str:
        return "ABSENT"


ABSENT = _Absent()
MORE: dict[Any, Any] = {...: ...}  # spread into a pattern that allows further fields
OK: dict[Any, Any] = {"success": True, "code": ABSENT, "message": ABSENT, **MORE}


def refused(code: str, **fields: Any) -> dict[Any, Any]:
    """The answer, or the part of one, that refuses: nothing but the code, a message, and these fields."""
    return {"success": False, "code": code, "message": re.compile(r"\S.*"), **fields}


class Stage:
    """Where one case plays: its account, its phones, and the values that it has names for."""

    def __init__(self, company: Company) -> None:
        self.company = company
        self.names: dict[str, Any] = {}
        self._phones: dict[str, Phone] = {}

    @property
    def server(self) -> Server:
        return self.company.server

    def phone(self, external_id: str) -> Phone:
        """The phone of this driver."""
        if external_id not in self._phones:
            drivers = self.company.client.get("/api/drivers", params={"limit": 500}).json()["items"]
            (driver_id,) = [driver["id"] for driver in drivers if driver.get("externalId") == external_id]
            self._phones[external_id] = self.company.phone(driver_id)
        return self._phones[external_id]

    def fill(self, value: Any) -> Any:
        """A request with the values of its names."""
        match value:
            case Name(name):
                return self.names[name]
            case dict():
                return {key: self.fill(each) for key, each in value.items()}
            case list() | tuple():
                return [self.fill(each) for each in value]
        return value


@dataclass(frozen=True, slots=True)
class Step:
    """One request and the pattern of its answer. ``until``: asked again until the answer fits."""

    verb: str
    path: str
    body: Any = None
    query: Mapping[str, Any] = field(default_factory=dict)
    answer: Any = field(default_factory=lambda: OK)
    status: int = 200
    key: str | Name | EllipsisType | None = ...  # the tenant's; None sends none
    content: bytes | None = None  # instead of ``body``: these very bytes
    driver: str | None = None  # whose phone speaks, instead of a key
    until: bool = False

    def __call__(self, stage: Stage) -> None:
        if self.until:
            eventually(lambda: not self._misfits(stage), within_s=PLANNED_S, what=f"{self.answer} of {self.path}")
        elif misfits := self._misfits(stage):
            raise AssertionError(
                f"{self.verb} {self.path} {self.body or dict(self.query) or ''}\n" + "\n".join(misfits)
            )

    def _misfits(self, stage: Stage) -> list[str]:
        answer = self._send(stage)
        assert answer.status_code == self.status, f"{self.verb} {self.path}: {answer.status_code} {answer.text}"
        if self.path.startswith("/v1/"):
            new = undescribed(stage.server.url, self.verb, self.path, answer.json())
            assert not new, f"{self.verb} {self.path} answers what is not in backend/api/optimoroute/schemas.py: {new}"
        if self.answer is ...:
            return []
        told = answer.json()
        found = mismatches(self.answer, told, stage.names)
        return [*found, f"the whole answer: {told}"] if found else []

    def _send(self, stage: Stage) -> httpx.Response:
        query = dict(stage.fill(dict(self.query)))
        client = stage.company.client if self.driver is None else stage.phone(self.driver).client
        headers = None
        if self.path.startswith("/v1/"):
            # As a client of the dialect does: the key stands in the address, and nowhere else.
            client, headers = stage.company.client, {"Authorization": ""}
            key = stage.company.key if self.key is ... else stage.fill(self.key)
            query |= {} if key is None else {"key": key}
        given: dict[str, Any] = {"content": self.content} if self.content is not None else {}
        if self.content is None and self.body is not None:
            given = {"json": stage.fill(self.body)}
        return client.request(self.verb, self.path, params=query, headers=headers, timeout=60, **given)


Play = Callable[[Stage], None]


class Case:
    """A sentence, the rows of the document that it shows, and the steps that show it."""

    def __init__(self, name: str, rows: Sequence[str], *steps: Play) -> None:
        self.name, self.rows, self.steps = name, tuple(rows), steps

    def __call__(self, company: Company) -> None:
        stage = Stage(company)
        for step in self.steps:
            step(stage)


def post(method: str, body: Any, answer: Any = OK, **options: Any) -> Step:
    return Step("POST", f"/v1/{method}", body, answer=answer, **options)


def get(method: str, answer: Any = OK, **query: Any) -> Step:
    """``orderNo=["A", "B"]`` repeats the parameter."""
    return Step("GET", f"/v1/{method}", query=query, answer=answer)


def office(verb: str, path: str, body: Any = None, answer: Any = ..., status: int | None = None) -> Step:
    usual = 201 if verb == "POST" and path in ("/api/drivers", "/api/vehicles", "/api/locations", "/api/keys") else 200
    return Step(verb, path, body, answer=answer, status=usual if status is None else status)


def phone(driver: str, path: str, body: Any = None, answer: Any = ..., **options: Any) -> Step:
    return Step("GET" if body is None else "POST", f"/driver/v1/{path}", body, answer=answer, driver=driver, **options)


def plan(date: str, **fields: Any) -> Play:
    """Plans this date, and waits for the plan."""

    def play(stage: Stage) -> None:
        started = {"success": True, "planningId": Name("the planning of plan()")}
        stage.names.pop("the planning of plan()", None)
        post("start_planning", {"date": date, **fields}, answer=started)(stage)
        query = {"planningId": Name("the planning of plan()")}
        Step("GET", "/v1/get_planning_status", query=query, answer={"status": "F", **MORE}, until=True)(stage)

    return play


def send(date: str) -> Step:
    """Sends the plan of this date to the drivers."""
    return office("POST", f"/api/plans/{date}/send")


def mismatches(pattern: Any, value: Any, names: dict[str, Any], where: str = "answer") -> list[str]:
    """What of the value does not fit the pattern, a sentence each."""
    match pattern:
        case EllipsisType():
            return []
        case Name(name):
            if value in (None, "", [], {}) or names.setdefault(name, value) != value:
                return [f"{where} is {value!r}, not {names.get(name, name)!r}"]
            return []
        case dict():
            return _of_object(pattern, value, names, where)
        case list():
            if not isinstance(value, list) or len(value) != len(pattern):
                return [f"{where} is {value!r}, not a list of {len(pattern)}"]
            pairs = enumerate(zip(pattern, value, strict=True))
            return [each for at, (one, other) in pairs for each in mismatches(one, other, names, f"{where}[{at}]")]
        case type():
            kinds = (int, float) if pattern is float else pattern
            fits = isinstance(value, kinds) and (pattern is bool or not isinstance(value, bool))
        case re.Pattern():
            fits = isinstance(value, str) and pattern.fullmatch(value) is not None
        case _:
            fits = value == pattern and isinstance(value, bool) == isinstance(pattern, bool)
    return [] if fits else [f"{where} is {value!r}, not {pattern!r}"]


def _of_object(pattern: dict[Any, Any], value: Any, names: dict[str, Any], where: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{where} is {value!r}, not an object"]
    found = [] if ... in pattern else [f"{where}.{key} is there" for key in value if key not in pattern]
    for key, each in pattern.items():
        if key is ...:
            continue
        if each is ABSENT:
            found += [f"{where}.{key} is there: {value[key]!r}"] if key in value else []
        elif key not in value:
            found.append(f"{where}.{key} is absent")
        else:
            found += mismatches(each, value[key], names, f"{where}.{key}")
    return found
