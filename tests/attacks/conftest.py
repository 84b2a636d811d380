"""A server that a module's attacks share, and the check that none of them hurt it."""

from collections.abc import Iterator
from typing import NamedTuple

import pytest

from tests.api.days import sent_day
from tests.attacks.wires import Vitals, allow_many_files
from tests.serving import Company, Phone, Server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    allow_many_files()
    data = tmp_path_factory.mktemp("attacked") / "data"
    running = Server(data, program="tests.attacks.hurried").start()
    try:
        yield running
    finally:
        running.kill()


class Doors(NamedTuple):
    """Where websockets are opened, and with what."""

    company: Company
    phone: Phone
    places: dict[str, tuple[str, str]]


@pytest.fixture(scope="module")
def doors(server: Server) -> Doors:
    company = server.account()
    phone = company.driver("Ana", externalId="D1", serial="001")
    stop = next(each for each in sent_day(company, phone, 1)["stops"] if each["type"] == "order")
    code = company.client.get(f"/api/orders/{stop['orderId']}").json()["trackingUrl"].rsplit("/t/", 1)[1]
    places = {
        "driver": ("/driver/v1/ws", phone.token),
        "live": ("/live", company.key),
        "recipient": (f"/t/{code}/live", ""),
    }
    return Doors(company, phone, places)


@pytest.fixture(scope="module")
def phone(server: Server) -> Phone:
    return server.account().driver("Ana")


@pytest.fixture
def vitals(server: Server) -> Iterator[Vitals]:
    """As the server is before the test; checked after it, too."""
    before = Vitals(server)
    yield before
    before.check()
