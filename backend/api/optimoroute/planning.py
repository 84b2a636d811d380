"""Planning: start, status, stop."""

import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from backend.api.optimoroute import wire
from backend.api.optimoroute.call import Answer, Call, failure, method
from backend.domain.drafts import DriverName, OrderName
from backend.domain.errors import Refusal
from backend.domain.plans import CannotPlan, PlanRequest
from backend.service import plans

_LARGEST_ID = 2**63 - 1


class SelectedDriver(msgspec.Struct, frozen=True, rename="camel"):
    driver_external_id: wire.Key | None = None
    driver_serial: wire.Key | None = None


class Start(msgspec.Struct, frozen=True, rename="camel"):
    """The body of start_planning."""

    date: str | None = None
    date_range: wire.DateRange | None = None
    balancing: Literal["OFF", "ON", "ON_FORCE"] = "OFF"
    balance_by: Literal["WT", "NUM"] = "WT"
    balancing_factor: Annotated[float, Meta(ge=0, le=1)] = 0.3
    start_with: Literal["EMPTY", "CURRENT"] = "EMPTY"
    lock_type: Literal["NONE", "ROUTES", "RESOURCES"] = "NONE"
    depot_trips: bool = False
    depot_visit_duration: Annotated[int, Meta(ge=0, le=1440)] = 0
    clustering: bool = False
    use_drivers: list[SelectedDriver] = []
    use_orders: list[wire.Key] = []
    use_order_objects: list[wire.OrderName] = []
    include_scheduled_orders: bool = True

    def request(self) -> PlanRequest:
        first, last = self._dates()
        return PlanRequest(
            first,
            last,
            drivers=tuple(_driver(each) for each in self.use_drivers),
            orders=tuple(_order(each) for each in self.use_order_objects)
            or tuple(OrderName(order_no=number) for number in self.use_orders),
            include_scheduled=self.include_scheduled_orders,
            balancing=self.balancing,
            balance_by=self.balance_by,
            balancing_factor=self.balancing_factor,
            start_with=self.start_with,
            lock=self.lock_type,
            depot_trips=self.depot_trips,
            depot_visit_min=self.depot_visit_duration,
            clustering=self.clustering,
        )

    def _dates(self) -> tuple[str, str]:
        if self.date_range is None:
            if self.date is None:
                raise Refusal("ERR_MISSING_MAND_FIELD", "The field date is missing.", "date")
            return wire.date(self.date), wire.date(self.date)
        first, last = self.date_range.bounds()
        if first is None or last is None:
            raise Refusal("ERR_MISSING_MAND_FIELD", "dateRange needs from and to.", "dateRange")
        if last < first:
            raise Refusal("ERR_DATE_RANGE_INVALID", "The to date is earlier than the from date.", "dateRange")
        length = datetime.date.fromisoformat(last) - datetime.date.fromisoformat(first)
        if length.days >= plans.LONGEST_DAYS:
            raise Refusal("ERR_DATE_RANGE_TOO_LONG", f"At most {plans.LONGEST_DAYS} days can be planned at once.")
        return first, last


class Stop(msgspec.Struct, frozen=True, rename="camel"):
    planning_id: Annotated[int, Meta(ge=-_LARGEST_ID, le=_LARGEST_ID)]


@method("start_planning", "POST", takes=Start)
async def start_planning(call: Call) -> Answer:
    """Starts the planning of a date, or of a `dateRange`, and answers its `planningId`."""
    wire.no_nul(call.body)
    try:
        job_id = await plans.start(call.desk, call.office, call.read(Start).request())
    except CannotPlan as refusal:
        return failure(refusal) | _details(refusal)
    return {"success": True, "planningId": job_id}


@method("stop_planning", "POST", takes=Stop)
async def stop_planning(call: Call) -> Answer:
    """Stops a planning, keeping the best routes found so far. Body: `{"planningId": 8828}`."""
    # The document's own example has a blank in front of the name.
    body = {name.strip(): value for name, value in call.body.items()}
    await plans.stop(call.desk, call.office, wire.convert(body, Stop).planning_id)
    return {"success": True}


@method("get_planning_status", "GET", query={"planningId": "The job's id. (required)"})
async def get_planning_status(call: Call) -> Answer:
    """How far a planning is: `status` N, R, C, F or E and `percentageComplete`."""
    text = call.parameter("planningId").strip()
    if not (text.isascii() and text.removeprefix("-").isdigit()) or len(text) > 19:
        raise Refusal("ERR_INVALID_PARAM_FORMAT", "planningId is an integer.", "planningId")
    job_id = int(text)
    if abs(job_id) > _LARGEST_ID:
        raise Refusal("ERR_JOB_NOT_FOUND", "The planning job with the specified id was not found.")
    progress = await plans.status(call.desk, call.office, job_id)
    answer: Answer = {"success": True, "status": progress.status, "percentageComplete": progress.percent}
    return answer | ({"message": progress.reason} if progress.reason else {})


def _driver(selected: SelectedDriver) -> DriverName:
    if not selected.driver_external_id and not selected.driver_serial:
        raise Refusal("ERR_INVALID_PARAM_FORMAT", "A driver is named by driverExternalId or driverSerial.")
    return DriverName(selected.driver_external_id or None, selected.driver_serial or None)


def _order(name: wire.OrderName) -> OrderName:
    if not name.id and not name.order_no:
        raise Refusal("ERR_INVALID_PARAM_FORMAT", "An order is named by id or orderNo.")
    return OrderName(name.id or None, name.order_no or None)


def _details(refusal: CannotPlan) -> Answer:
    details: Answer = {}
    if refusal.planning_id is not None:
        details["planningId"] = refusal.planning_id
    if refusal.orders:
        missing = refusal.code == "ERR_ORD_NOT_FOUND"
        details["missingOrders" if missing else "ordersWithInvalidLocation"] = list(refusal.orders)
    if refusal.drivers:
        details["missingDrivers"] = [
            {
                name: text
                for name, text in (("driverExternalId", driver.external_id), ("driverSerial", driver.serial))
                if text is not None
            }
            for driver in refusal.drivers
        ]
    return details
