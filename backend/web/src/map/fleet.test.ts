import assert from "node:assert/strict";
import { test } from "node:test";
import type { FleetEvent, LiveDriver, Route, Stop } from "../shared/wire.ts";
import { applyEvent, applyHistory, applyPositions, applyRoutes, applySnapshot, countStatuses, delayOf, driverState, emptyFleet, isLate, progressOf, type Fleet } from "./fleet.ts";
import { find } from "./find.ts";

const NOON = Date.parse("2026-03-02T12:00:00Z") / 1000;

function driver(id: string, extra: Partial<LiveDriver> = {}): LiveDriver {
  return { driverId: id, externalId: `DRV-${id}`, name: `Driver ${id}`, onDuty: true, position: { timestamp: NOON, latitude: 45.8, longitude: 16 }, ...extra };
}

function stop(number: number, extra: Partial<Stop> = {}): Stop {
  return { stopNumber: number, type: "order", orderId: `o${number}`, orderNo: `ORD${number}`, latitude: 45.8, longitude: 16, status: "scheduled", scheduledAt: "2026-03-02T12:00:00.000Z", ...extra };
}

function route(stops: Stop[]): Route {
  return { id: "r", date: "2026-03-02", driverId: "a", driverName: "Driver a", sent: true, version: 1, stops };
}

function event(name: string, extra: Partial<FleetEvent> = {}): FleetEvent {
  return { event: name, unixTimestamp: NOON, ...extra };
}

function fleet(stops = [stop(1), stop(2), stop(3)]): Fleet {
  const made = emptyFleet();
  applySnapshot(made, [driver("a"), driver("b")]);
  applyRoutes(made, [route(stops)]);
  return made;
}

test("an old position never replaces a newer one", () => {
  const made = fleet();
  const { moved } = applyPositions(made, [{ driverId: "a", timestamp: NOON + 5, latitude: 1, longitude: 1 }]);
  assert.equal(moved.length, 1);
  assert.equal(applyPositions(made, [{ driverId: "a", timestamp: NOON + 4, latitude: 2, longitude: 2 }]).moved.length, 0);
  assert.equal(made.drivers.get("a")!.position!.latitude, 1);
});

test("a snapshot after a reconnect keeps what is newer, drops who is gone and adds who is new", () => {
  const made = fleet();
  applyPositions(made, [{ driverId: "a", timestamp: NOON + 50, latitude: 1, longitude: 1 }]);
  applySnapshot(made, [driver("a"), driver("c", { position: null })]);
  assert.deepEqual([...made.drivers.keys()], ["a", "c"]);
  assert.equal(made.drivers.get("a")!.position!.timestamp, NOON + 50);
  assert.equal(made.drivers.get("c")!.position, null);
});

test("a position of a driver that is not known is told, for a new snapshot", () => {
  assert.deepEqual(applyPositions(fleet(), [{ driverId: "x", timestamp: NOON, latitude: 1, longitude: 1 }]), { moved: [], strangers: true });
});

test("an order becomes what its event says, and the next stop is the one driven to", () => {
  const made = fleet();
  applyEvent(made, event("start_route", { sequence: 1, routeId: "r" }));
  assert.equal(made.orders.get("o1")!.stop.status, "on_route");
  applyEvent(made, event("start_service", { sequence: 2, orderId: "o1", status: "servicing" }));
  assert.equal(made.orders.get("o1")!.stop.status, "servicing");
  applyEvent(made, event("success", { sequence: 3, orderId: "o1", status: "success" }));
  assert.deepEqual([...made.orders.values()].map(({ stop: each }) => each.status), ["success", "on_route", "scheduled"]);
});

test("a late start of service does not reopen a finished order", () => {
  const made = fleet([stop(1, { status: "success" }), stop(2)]);
  applyEvent(made, event("start_service", { sequence: 9, orderId: "o1", status: "success" }));
  assert.equal(made.orders.get("o1")!.stop.status, "success");
});

test("the same event twice is counted once, live or from history", () => {
  const made = fleet();
  const first = event("success", { sequence: 4, orderId: "o1", status: "success" });
  assert.equal(applyEvent(made, first).fresh, true);
  assert.equal(applyEvent(made, { ...first }).fresh, false);
  applyHistory(made, [{ ...first }, event("on_duty", { sequence: 2 })]);
  assert.deepEqual(made.events.map((each) => each.sequence), [4, 2]);
});

test("duty follows the events of the driver, named any way", () => {
  const made = fleet();
  applyEvent(made, event("off_duty", { sequence: 1, driverExternalId: "DRV-b" }));
  assert.equal(made.drivers.get("b")!.onDuty, false);
  assert.equal(applyEvent(made, event("on_duty", { sequence: 2, driverExternalId: "DRV-z" })).unknown, true);
});

test("a driver is what the stops and the age of the position say", () => {
  const made = fleet([stop(1, { status: "on_route" })]);
  const a = made.drivers.get("a")!;
  assert.equal(driverState(made, a, NOON), "driving");
  made.orders.get("o1")!.stop.status = "servicing";
  assert.equal(driverState(made, a, NOON + 100), "servicing");
  assert.equal(driverState(made, a, NOON + 121), "stale");
  a.onDuty = false;
  assert.equal(driverState(made, a, NOON), "off");
  assert.equal(driverState(made, made.drivers.get("b")!, NOON), "idle");
});

test("progress leaves cancelled orders, breaks and depots out", () => {
  const progress = progressOf(route([
    stop(1, { status: "success", startedAt: "2026-03-02T12:10:00Z" }),
    stop(2, { status: "failed" }),
    stop(3, { status: "cancelled" }),
    { stopNumber: 4, type: "break" },
    stop(5, { eta: "2026-03-02T12:20:00.000Z", timeWindows: [{ from: "2026-03-02T11:00:00Z", to: "2026-03-02T12:15:00Z" }] }),
  ]));
  assert.deepEqual([progress.done, progress.failed, progress.total, progress.next?.stopNumber], [2, 1, 3, 5]);
  assert.equal(progress.delayS, 1200);
  assert.equal(progress.late, true);
});

test("delay is real against planned, and lateness is against the window", () => {
  assert.equal(delayOf(stop(1, { eta: "2026-03-02T11:55:00Z" })), -300);
  assert.equal(delayOf(stop(1)), 0);
  assert.equal(isLate(stop(1, { eta: "2026-03-02T13:00:00Z" })), false);
  assert.equal(isLate(stop(1, { startedAt: "2026-03-02T12:31:00Z", timeWindows: [{ to: "2026-03-02T12:30:00Z" }] })), true);
});

test("statuses are counted", () => {
  assert.deepEqual([...countStatuses(fleet([stop(1), stop(2, { status: "success" }), stop(3)]))], [["scheduled", 2], ["success", 1]]);
});

test("search finds drivers, numbers and places without minding accents, case or the order of words", () => {
  const made = fleet([stop(1, { locationName: "Ljekarna Čakovec", address: "Šubićeva 4" }), stop(2)]);
  assert.deepEqual(find(made, "cakovec LJEK").map((hit) => hit.id), ["o1"]);
  assert.deepEqual(find(made, "subiceva").map((hit) => hit.id), ["o1"]);
  assert.deepEqual(find(made, "ord2").map((hit) => hit.id), ["o2"]);
  assert.deepEqual(find(made, "driver b").map((hit) => hit.id), ["b"]);
  assert.deepEqual(find(made, "  "), []);
});
