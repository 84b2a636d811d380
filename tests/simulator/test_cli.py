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


@pytest.mark.parametrize("option", ["--report", "--html", "--state"])
def test_a_file_that_cannot_be_written_is_told_before_a_day_is_driven_for_it(tmp_path: Path, option: str):
    ended = CliRunner().invoke(simulate, [*GIVEN, option, str(tmp_path / "nowhere" / "file")])
    assert ended.exit_code == 1 and "cannot be written" in ended.output, ended.output


def test_what_is_no_address_of_a_server_is_told():
    ended = CliRunner().invoke(simulate, [*GIVEN[2:], "--url", "localhost:8000"])
    assert ended.exit_code == 1 and "localhost:8000 is no address" in ended.output, ended.output


PHONE = '{"type":"phone","driver_id":"D1","key":"A","named":"A","token":"t","route":null}'
RUN = '{"type":"run","url":"u","date":"2026-03-02","seed":1,"transport":"http","scenario":"","replay":null,"orders":1'


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (['{"type":"run"}'], "line 1"),
        ([RUN + "}", PHONE, '{"type":"sent"'], "line 3"),
        ([RUN + "}", PHONE, '{"type":"ack","driver_id":"D2","n":1}'], "driver 'D2' never logged in"),
        ([PHONE], "does not begin"),
        ([RUN + ',"drivers":2}', PHONE], "before all drivers had logged in"),
    ],
)
def test_a_state_file_that_cannot_be_compared_is_told_in_words(tmp_path: Path, lines: list[str], told: str):
    state = tmp_path / "run.jsonl"
    state.write_text("".join(f"{line}\n" for line in lines))
    ended = CliRunner().invoke(simulate, [*GIVEN, "--state", str(state), "--verify"])
    assert ended.exit_code == 1 and told in ended.output, ended.output
    assert ended.exc_info is not None and ended.exc_info[0] is SystemExit


@pytest.mark.parametrize(
    ("file", "processes", "told"),
    [("run.jsonl", 3, "--processes 1"), ("run.jsonl.2", 2, "--processes 3"), ("run.jsonl.0", 1, "several processes")],
)
def test_a_run_goes_on_in_as_many_processes_as_it_had(tmp_path: Path, file: str, processes: int, told: str):
    (tmp_path / file).write_text(f"{RUN}}}\n{PHONE}\n")
    options = ["--state", str(tmp_path / "run.jsonl"), "--resume", "--processes", str(processes)]
    ended = CliRunner().invoke(simulate, [*GIVEN, *options])
    assert ended.exit_code == 1 and told in ended.output, ended.output
