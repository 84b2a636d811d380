"""The options of a planning request."""

from typing import Literal

import msgspec

from backend.domain.drafts import DriverName, OrderName
from backend.domain.errors import Refusal


class Scope(msgspec.Struct, frozen=True):
    """Which orders and which drivers a planning job plans, by id. Nothing else may touch them while it runs."""

    order_ids: tuple[str, ...] = ()
    driver_ids: tuple[str, ...] = ()


class PlanRequest(msgspec.Struct, frozen=True):
    """Plan the dates from ``first`` to ``last``.

    ``drivers`` and ``orders`` choose some of those dates'; empty is all of them. ``include_scheduled`` plans, beside
    the chosen orders, those that stand on the chosen drivers' routes; without it they leave their routes.
    ``start_with`` CURRENT begins with the routes that there are, which ``lock`` keeps: NONE not at all, ROUTES as they
    are, RESOURCES each order with its driver. With ``depot_trips`` drivers may come back to where they start, to load
    anew in ``depot_visit_min`` minutes. ``clustering`` keeps the drivers' routes apart.
    """

    first: str
    last: str
    drivers: tuple[DriverName, ...] = ()
    orders: tuple[OrderName, ...] = ()
    include_scheduled: bool = True
    balancing: Literal["OFF", "ON", "ON_FORCE"] = "OFF"
    balance_by: Literal["WT", "NUM"] = "WT"
    balancing_factor: float = 0.3
    start_with: Literal["EMPTY", "CURRENT"] = "EMPTY"
    lock: Literal["NONE", "ROUTES", "RESOURCES"] = "NONE"
    depot_trips: bool = False
    depot_visit_min: int = 0
    clustering: bool = False


class CannotPlan(Refusal):
    """A planning that cannot be started: beside the cause the job that is in the way, or what is missing or wrong."""

    def __init__(
        self,
        code: str,
        text: str,
        *,
        planning_id: int | None = None,
        orders: tuple[str, ...] = (),
        drivers: tuple[DriverName, ...] = (),
    ) -> None:
        super().__init__(code, text)
        self.planning_id, self.orders, self.drivers = planning_id, orders, drivers
