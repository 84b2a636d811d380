import pytest

from simulator.scenario import PRESETS, Scenario, load, read
from simulator.written import toml
from tests.serving import ROOT


def test_an_empty_file_is_the_default():
    assert read("") == Scenario()


def test_values_are_taken_and_the_rest_stays():
    scenario = read("gps = {accuracy_m = 12}\n[outcome]\nfailed = 0.5\nfailure_reasons = ['closed']")
    assert scenario.gps.accuracy_m == 12 and scenario.gps.correlation_s == 30.0
    assert scenario.outcome.failure_reasons == ("closed",)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("gps = {accuracy_m = -1}", "gps.accuracy_m"),
        ("reporting = {batch = 1001}", "reporting.batch"),
        ("outcome = {failed = 1.5}", "outcome.failed"),
        ("outcome = {failed = 0.7, rejected = 0.7}", "together"),
        ("network = {gap_s = [90, 10]}", "network.gap_s"),
        ("gps = {niose_m = 1}", "gps: there is no niose_m, only accuracy_m, correlation_s"),
        ("weather = {}", "there is no weather, only gps, reporting"),
        (
            "network = {outages = [{begins = '08:00', minutes = 5}]}",
            "outages.0.: there is no begins, only from, minutes",
        ),
        ("office = {cancelled = 0.7, moved = 0.7}", "together"),
        ("gps = ", "scenario"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(text: str, named: str):
    with pytest.raises(ValueError, match=named):
        read(text)


@pytest.mark.parametrize("name", [None, *PRESETS])
def test_a_scenario_is_written_with_all_its_values_and_read_again_as_it_was(name: str | None):
    scenario = read(load(name))
    text = toml(scenario)
    assert read(text) == scenario
    assert "restarts_per_day" in text and "# 0 to 1000, or a table of percentiles" in text


def test_the_documentation_names_every_value():
    page = (ROOT / "docs/simulator.md").read_text(encoding="utf-8")
    for table in Scenario.__struct_fields__:
        assert f"| `{table}` |" in page
        for name in getattr(Scenario(), table).__struct_fields__:
            assert f"`{name}`" in page, f"{table}.{name}"
