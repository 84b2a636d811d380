"""Every row of every table of the OptimoRoute document has a case that shows it."""

from collections.abc import Callable
from pathlib import Path

from tests.optimoroute.document import rows
from tests.optimoroute.test_cases import CASES

DOCUMENT = "seeds/004_88861b4b2d6a370a.txt"
# Tables whose cases are still to be written, by the beginning of their rows.
UNFINISHED: set[str] = {
    "general/errors/ERR_TOO_MANY_CONNECTIONS",
    "general/errors/ERR_INTERNAL",
    "objects/",
    "create_order/",
    "create_or_update_orders/",
    "get_orders/",
    "delete_order/",
    "delete_all_orders/",
    "delete_orders/",
    "get_routes/",
    "get_scheduling_info/",
    "start_planning/",
    "stop_planning/",
    "get_planning_status/",
    "update_driver_parameters/",
    "update_drivers_parameters/",
    "get_events/",
    "get_completion_details/",
    "update_completion_details/",
    "update_drivers_positions/",
    "search_orders/",
}


def shown() -> set[str]:
    return {row for cases in CASES.values() for case in cases for row in case.rows}


def test_every_row_has_a_case(shared: Callable[[str], Path]) -> None:
    document = rows(shared(DOCUMENT).read_text())
    assert len(document) > 400, "the tables of the document were not found"
    missing = [row for row in document if row not in shown() and not row.startswith(tuple(UNFINISHED))]
    assert not missing, "rows without a case:\n" + "\n".join(missing)


def test_every_case_names_rows_that_there_are(shared: Callable[[str], Path]) -> None:
    unknown = shown() - set(rows(shared(DOCUMENT).read_text()))
    assert not unknown, f"rows that are not in the document: {sorted(unknown)}"


def test_no_two_cases_say_the_same() -> None:
    names = [(part, case.name) for part, cases in CASES.items() for case in cases]
    assert len(names) == len(set(names))
