import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from simulator.calibrate import compare, recorded, simulated
from simulator.cli import simulate
from simulator.scenario import load, read


def test_the_simulated_van_of_the_city_is_like_the_recorded_one(shared, seed: int):
    rows = compare(recorded(shared("data/van-day.csv")), simulated(read(load("city")), seed))
    assert {row.name for row in rows} == {"interval_s", "accuracy_m", "speed_mps", "lag_s (known)"}
    assert not [row for row in rows if not row.alike]


def test_a_fleet_that_is_not_like_the_record_is_told_so_and_fails(shared, tmp_path: Path):
    other = tmp_path / "other.toml"
    other.write_text("reporting = {period_s = 30, standing_period_s = 30}\n")
    report = tmp_path / "rows.json"
    given = ["--calibrate", str(shared("data/van-day.csv")), "--scenario", str(other), "--report", str(report)]
    ended = CliRunner().invoke(simulate, given)
    assert ended.exit_code == 1 and "differs" in ended.output
    told = json.loads(report.read_text())
    assert not told["ok"] and told["rows"][0]["name"] == "interval_s"
    assert f"--seed {told['seed']}" in told["command"] and told["command"] in ended.output.replace("\n", "")
    assert told["scenario"] in ended.output


@pytest.mark.parametrize("content", ["", "unix_time,latitude\n1,"])
def test_what_is_no_track_is_told(tmp_path: Path, content: str):
    path = tmp_path / "track.csv"
    path.write_text(content)
    ended = CliRunner().invoke(simulate, ["--calibrate", str(path)])
    assert ended.exit_code == 1 and "track.csv" in ended.output
