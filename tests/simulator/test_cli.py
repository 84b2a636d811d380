from pathlib import Path

import pytest
from click.testing import CliRunner

from simulator.cli import simulate

GIVEN = ["--url", "http://127.0.0.1:9", "--key", "k", "--date", "2026-03-02"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--speed", "0"], "--speed"),
        (["--transport", "pigeon"], "pigeon"),
        (["--resume"], "--state"),
        (["--replay", "/nowhere.gpx"], "/nowhere.gpx"),
        (["--drivers", "0"], "--drivers"),
    ],
)
def test_what_does_not_fit_is_told_before_anything_is_sent(options: list[str], told: str):
    ended = CliRunner().invoke(simulate, [*GIVEN, *options])
    assert ended.exit_code == 2 and told in ended.output


def test_a_scenario_out_of_range_is_told_by_name(tmp_path: Path):
    scenario = tmp_path / "s.toml"
    scenario.write_text("gps = {accuracy_m = -4}")
    ended = CliRunner().invoke(simulate, [*GIVEN, "--scenario", str(scenario)])
    assert ended.exit_code == 1 and "gps.accuracy_m" in ended.output


def test_a_state_file_of_another_run_is_not_overwritten(tmp_path: Path):
    state = tmp_path / "run.jsonl"
    state.write_text('{"type":"run"}\n')
    ended = CliRunner().invoke(simulate, [*GIVEN, "--state", str(state)])
    assert ended.exit_code == 1 and "--resume" in ended.output
    assert state.read_text() == '{"type":"run"}\n'
