"""Plays every recorded case over the wire, each on an account of its own."""

import importlib
from pathlib import Path

import pytest

from tests.optimoroute.table import Case
from tests.serving import Company

CASES: dict[str, list[Case]] = {
    path.stem: importlib.import_module(f"tests.optimoroute.cases.{path.stem}").CASES
    for path in sorted((Path(__file__).parent / "cases").glob("[a-z]*.py"))
}


@pytest.mark.parametrize(
    "case",
    [pytest.param(case, id=f"{part}: {case.name}") for part, cases in CASES.items() for case in cases],
)
def test_the_wire_answers_as_the_document_says(case: Case, company: Company) -> None:
    case(company)
