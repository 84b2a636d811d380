"""What is told when it is the server that fails."""

import resource

import pytest

from tests.optimoroute.scenes import order, orders
from tests.optimoroute.table import Stage, post, refused
from tests.serving import Company, eventually


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="only Linux limits a process from outside")
def test_what_cannot_be_written_is_an_internal_error_and_nothing_is_stored(company: Company) -> None:
    stage = Stage(company)
    orders(order("N1"))(stage)
    server = company.server.process
    assert server is not None
    before = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        many = [order(f"N{n}", notes="x" * 50_000) for n in range(2, 12)]
        post("create_or_update_orders", {"orders": many}, refused("ERR_INTERNAL"))(stage)
        body = {"operation": "CREATE"} | order("N2")
        post("create_order", body, refused("ERR_INTERNAL"))(stage)
        post("get_orders", {"orders": [{"orderNo": "N1"}]})(stage)
    finally:
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, before)
    found = company.v1("get_orders", {"orders": [{"orderNo": f"N{n}"} for n in range(2, 12)]})
    assert found["success"] is False, "nothing of the failed calls is there"
    eventually(lambda: company.v1("create_or_update_orders", {"orders": [order("N2")]})["success"], what="a good disk")
