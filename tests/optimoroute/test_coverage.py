"""Every row of every table of the OptimoRoute document has a case that shows it."""

from collections.abc import Callable
from pathlib import Path

from tests.optimoroute.document import rows
from tests.optimoroute.test_cases import CASES

DOCUMENT = "seeds/004_88861b4b2d6a370a.txt"
# What no request alone can bring about, by the test that does.
_PLANNINGS = "service/test_plannings.py::test_"
_DOUBTFUL = "api/test_geocoding.py::test_a_doubtful_address_is_refused_or_warned_of"
ELSEWHERE = {
    "general/errors/ERR_INTERNAL": "optimoroute/test_full_disk.py::test_what_cannot_be_written_is_an_internal_error",
    **{
        f"create_order/{row}": _DOUBTFUL
        for row in (
            *(f"request/Location/{flag}" for flag in ("acceptMultipleResults", "acceptPartialMatch", "storeInvalid")),
            "response/geocodingResults",
            *(
                f"errors/{code}_LOC_GEOCODING{what}"
                for code in ("ERR", "WAR")
                for what in ("", "_MULTIPLE", "_PARTIAL")
            ),
        )
    },
    "start_planning/errors/ERR_OPT_COULD_NOT_START": _PLANNINGS + "a_server_that_is_stopping_starts_no_planning",
    "start_planning/errors/ERR_OPT_REQUESTS_EXCEEDED": _PLANNINGS + "more_orders_than_a_planning_takes_are_refused",
    "start_planning/errors/ERR_OPT_RESOURCES_EXCEEDED": _PLANNINGS + "more_drivers_than_a_planning_takes_are_refused",
    "stop_planning/errors/ERR_OPT_COULD_NOT_STOP": _PLANNINGS
    + "a_planning_that_does_not_end_when_it_is_stopped_is_told",
}
# What cannot be: there are no trials and no pricing plans.
NEVER = {"start_planning/errors/ERR_OPT_TRIAL_ENDED", "start_planning/errors/ERR_UNSUPPORTED_BY_PRICING_PLAN"}


def shown() -> set[str]:
    return {row for cases in CASES.values() for case in cases for row in case.rows}


def test_what_is_shown_elsewhere_is_there() -> None:
    for place in ELSEWHERE.values():
        path, name = place.split("::")
        assert f"def {name}" in (Path(__file__).parents[1] / path).read_text(), place


def test_every_row_has_a_case(shared: Callable[[str], Path]) -> None:
    document = rows(shared(DOCUMENT).read_text())
    assert len(document) > 400, "the tables of the document were not found"
    there = shown() | ELSEWHERE.keys() | NEVER
    missing = [row for row in document if row not in there]
    assert not missing, "rows without a case:\n" + "\n".join(missing)


def test_every_case_names_rows_that_there_are(shared: Callable[[str], Path]) -> None:
    unknown = (shown() | ELSEWHERE.keys() | NEVER) - set(rows(shared(DOCUMENT).read_text()))
    assert not unknown, f"rows that are not in the document: {sorted(unknown)}"


def test_no_two_cases_say_the_same() -> None:
    names = [(part, case.name) for part, cases in CASES.items() for case in cases]
    assert len(names) == len(set(names))
