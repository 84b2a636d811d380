"""What the documentation names is there."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_every_test_that_the_page_on_reliability_names_exists() -> None:
    tests = {
        name for path in (ROOT / "tests").rglob("*.py") for name in re.findall(r"def (test_\w+)", path.read_text())
    }
    named = re.findall(r"`(tests/[\w/.]+|test_\w+…?)`", (ROOT / "docs/reliability.md").read_text())
    assert len(named) > 40
    for name in named:
        if name.startswith("tests/"):
            assert (ROOT / name).exists(), name
        elif name.endswith("…"):
            assert any(test.startswith(name[:-1]) for test in tests), name
        else:
            assert name in tests, name


def test_the_page_on_the_simulator_names_every_module() -> None:
    page = (ROOT / "docs/simulator.md").read_text()
    assert not [path.stem for path in (ROOT / "simulator").glob("[a-z]*.py") if f"`{path.stem}`" not in page]
