"""A driver's phone for each test, and one for those that store nothing."""

import uuid

import pytest

from tests.serving import Company, Phone, Server


@pytest.fixture
def phone(company: Company) -> Phone:
    return company.driver("Ana", externalId=f"D{uuid.uuid4().hex[:8]}", serial="001")


@pytest.fixture(scope="module")
def same_phone(server: Server) -> Phone:
    """Shared by the module's tests."""
    return server.account().driver("Shared")
