"""A driver's phone for each test, and one for those that store nothing."""

import uuid

import pytest

from tests.api.test_optimoroute_orders import FLEET, new, save
from tests.serving import Company, Phone, Server


@pytest.fixture
def phone(company: Company) -> Phone:
    return company.driver("Ana", externalId=f"D{uuid.uuid4().hex[:8]}", serial="001")


@pytest.fixture(scope="module")
def same_phone(server: Server) -> Phone:
    """Shared by the module's tests."""
    return server.account().driver("Shared")


@pytest.fixture
def stocked(company: Company) -> Company:
    """Orders A and B, B; drivers and vehicles of which two share their names; a location by number and address."""
    assert company.client.put("/api/fleet", json=FLEET).status_code == 200
    known = {"locationNo": "L1", "address": "1 High Street", "locationName": "Shop", "latitude": 1, "longitude": 2}
    assert company.client.post("/api/locations", json=known).status_code == 201
    for name in ("Twin 1", "Twin 2"):
        assert company.client.post("/api/drivers", json={"name": name, "externalId": "twin"}).status_code == 201
        assert (
            company.client.post("/api/vehicles", json={"registration": "TWIN", "externalId": "twin"}).status_code == 201
        )
    twice = new("B", operation="CREATE", acceptDuplicateOrderNo=True)
    assert all(part["success"] for part in save(company, new("A"), twice, twice))
    return company
