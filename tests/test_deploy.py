"""What lies in deploy/ is at least sound, and names only settings and files that there are."""

import re
import shutil
import subprocess
from pathlib import Path

import msgspec
import pytest
import yaml

from backend.settings import Settings
from tests.serving import ROOT

FILES = sorted((ROOT / "deploy").iterdir())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_setting_that_is_named_is_one(path: Path):
    known = {f"CODRIVER_{field.name.upper()}" for field in msgspec.structs.fields(Settings)}
    assert set(re.findall(r"CODRIVER_[A-Z_]+", path.read_text())) <= known


@pytest.mark.parametrize("name", ["compose.yaml", "kubernetes.yaml"])
def test_the_documents_can_be_read(name: str):
    documents = list(yaml.safe_load_all((ROOT / "deploy" / name).read_text()))
    assert documents and all(isinstance(document, dict) for document in documents)
    if name == "kubernetes.yaml":
        kinds = [document["kind"] for document in documents]
        assert kinds == ["PersistentVolumeClaim", "Deployment", "Service", "PodDisruptionBudget", "Ingress"]
        assert all({"apiVersion", "metadata"} <= set(document) for document in documents)


def test_the_proxy_takes_its_configuration():
    if shutil.which("caddy") is None:
        pytest.skip("caddy is not on this machine")
    command = ["caddy", "validate", "--config", str(ROOT / "deploy" / "Caddyfile"), "--adapter", "caddyfile"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr


def test_the_page_links_to_what_there_is():
    page = (ROOT / "docs" / "deployment.md").read_text()
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page)
    assert links and all((ROOT / "docs" / link).exists() for link in links), links
