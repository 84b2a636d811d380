"""What lies in deploy/ is at least sound, and names only settings and files that there are."""

import re
from pathlib import Path

import msgspec
import pytest
import yaml

from backend.app import create_app
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


def test_the_page_links_to_what_there_is():
    page = (ROOT / "docs" / "deployment.md").read_text()
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page)
    assert links and all((ROOT / "docs" / link).exists() for link in links), links


def test_the_ingress_opens_all_that_is_served_but_what_is_the_operators():
    documents = yaml.safe_load_all((ROOT / "deploy" / "kubernetes.yaml").read_text())
    [ingress] = [document for document in documents if document["kind"] == "Ingress"]
    opened = {path["path"] for path in ingress["spec"]["rules"][0]["http"]["paths"]}
    served = {f"/{route.path.split('/')[1]}" for route in create_app(Settings()).routes}
    assert served - opened == {"/healthz", "/readyz", "/metrics", "/operator"}
    assert opened <= served
