"""A short day of a small fleet in a hostile scenario, driven by the simulator's own command."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

from tests.serving import ROOT, Company, eventually

DATE = "2026-03-02"
HOSTILE = """
[gps]
accuracy_m = 12
dropouts_per_hour = 3

[network]
gaps_per_hour = 2
gap_s = [60, 1200]
duplicates = 0.2
reordering = 0.2
lost_answers = 0.1

[clock]
offset_s = [-40, 40]

[outcome]
failed = 0.2
rejected = 0.1

[proof]
signature = 0.7
photo = 0.5
most_photos = 2
barcode_trouble = 0.3
later = 0.3

[app]
restarts_per_day = 8
"""


def command(company: Company, tmp_path: Path, *options: str) -> list[str]:
    scenario = tmp_path / "hostile.toml"
    scenario.write_text(HOSTILE)
    return [
        *(sys.executable, "-m", "backend.cli", "simulate", "--url", company.server.url, "--key", company.key),
        *("--date", DATE, "--drivers", "4", "--orders", "30", "--scenario", str(scenario)),
        *("--verify", "--report", str(tmp_path / "report.json"), *options),
    ]


def simulate(company: Company, tmp_path: Path, *options: str) -> dict[str, Any]:
    """Run a fleet to its end; its report."""
    ended = subprocess.run(command(company, tmp_path, *options), cwd=ROOT, capture_output=True, text=True, timeout=170)
    assert ended.returncode == 0, ended.stdout + ended.stderr + company.server.tail()
    return json.loads((tmp_path / "report.json").read_text())


class Running:
    """A fleet that is on its way; ``state`` is where it keeps its truth."""

    def __init__(self, company: Company, tmp_path: Path, *options: str) -> None:
        self._company, self._folder = company, tmp_path
        self.state = tmp_path / "state.jsonl"
        self._said = (tmp_path / "said").open("w+")
        self.process = subprocess.Popen(
            command(company, tmp_path, "--state", str(self.state), *options),
            cwd=ROOT,
            stdout=self._said,
            stderr=self._said,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait(60)
        self._said.close()

    def acknowledged(self) -> int:
        return self.state.read_bytes().count(b'"type":"ack"') if self.state.exists() else 0

    def reaches(self, count: int) -> bool:
        """Wait for so many acknowledgements; False where the fleet is home before."""

        def there() -> bool:
            return self.process.poll() is not None or self.acknowledged() >= count

        eventually(there, within_s=100, what=f"{count} acknowledgements")
        return self.process.poll() is None

    def told(self) -> dict[str, Any]:
        """Its report, once it has come home."""
        assert self.process.wait(170) == 0, self._trouble()
        return json.loads((self._folder / "report.json").read_text())

    def _trouble(self) -> str:
        self._said.seek(0)
        return self._said.read()[-6000:] + self._company.server.tail()
