"""The first session of the README, run as it is written."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.serving import ROOT, held_port


def blocks(heading: str) -> list[str]:
    """The shell blocks under a heading of the README."""
    text = (ROOT / "README.md").read_text()
    section = re.split(r"^## ", text, flags=re.M)
    chosen = next(part for part in section if part.startswith(heading))
    return re.findall(r"^```sh\n(.*?)^```", chosen, flags=re.M | re.S)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not on this machine")
def test_the_first_session_goes_from_an_account_to_a_delivered_order(tmp_path: Path) -> None:
    """Every block, in one shell. The port is another, since 8000 may be taken."""
    held = held_port()
    port = held.getsockname()[1]
    commands = tmp_path / "bin"
    commands.mkdir()
    (commands / "codriver").write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m backend.cli "$@"\n')
    (commands / "codriver").chmod(0o755)
    script = "set -eo pipefail\ntrap 'kill %1 2>/dev/null' EXIT\n" + "\n".join(blocks("A first session"))
    assert script.count("8000") >= 2
    environment = {**os.environ, "PATH": f"{commands}:{os.environ['PATH']}"}
    script = script.replace('export PATH="$PWD/.venv/bin:$PATH"\n', "").replace("8000", str(port))
    run = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=220, check=False
    )
    told = run.stdout + run.stderr
    assert run.returncode == 0, told
    assert '"event": "success"' in run.stdout, told
    assert "left with the neighbour" in run.stdout, told
    assert run.stdout.rstrip().endswith("success"), told
