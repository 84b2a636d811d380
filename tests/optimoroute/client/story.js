// A day told by a public client of OptimoRoute's API, which knows nothing of Codriver but its address.
// Every method of the client is called, and the answers have the fields that its own types promise. What is not in that
// API (the fleet, the phone, sending the plan) goes over Codriver's own. Run as: node story.js ADDRESS KEY

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { createRequire } from "node:module";

const OptimoRoute = createRequire(import.meta.url)("optimoroute-client");
const [address, key] = process.argv.slice(2);
const date = new Date().toISOString().slice(0, 10);
const called = new Set();

const client = new Proxy(new OptimoRoute({ authKey: key, basePath: `${address}/v1/` }), {
  get(target, name) {
    called.add(name);
    return target[name].bind(target);
  },
});

// The client's models (its src/model). Its bigint is a number once it went through JSON. Three of its types are not the
// document's, which is followed here: routes is a list, unixTimestamp a number, and a stop has a type only where it is no order.
const TIME = { unixTimestamp: "number", utcTime: "string", localTime: "string" };
const LOCATION = {
  locationNo: "string", locationName: "string", address: "string", latitude: "number", longitude: "number",
  checkInTime: "number", notes: "string",
};
const LOADS = { load1: "number", load2: "number", load3: "number", load4: "number" };
const ORDER = {
  id: "string", orderNo: "string", date: "string", location: LOCATION, type: "string", duration: "number",
  timeWindows: [{ twFrom: "string", twTo: "string" }], allowedWeekdays: ["string"], priority: "string", ...LOADS,
  vehicleFeatures: ["string"], skills: ["string"], notes: "string", customField1: "string", customField2: "string",
  customField3: "string", customField4: "string", customField5: "string", email: "string", phone: "string",
  notificationPreference: "string",
};
const WHO = {
  driverExternalId: "string", driverSerial: "string", driverName: "string", vehicleRegistration: "string", vehicleLabel: "string",
};
const WHEN = {
  stopNumber: "number", scheduledAt: "string", scheduledAtDt: "string", arrivalTimeDt: "string", travelTime: "number",
  distance: "number",
};
const STOP = {
  ...WHEN, orderNo: "string", locationNo: "string", locationName: "string", address: "string", latitude: "number",
  longitude: "number",
};
const ROUTE = { ...WHO, ...LOADS, duration: "number", distance: "number", stops: [STOP], routePolyline: "string" };
const EVENT = { event: "string", ...TIME, driverName: "string", driverSerial: "string", driverExternalId: "string" };

function shaped(value, shape, where = "answer") {
  if (typeof shape === "string") return assert.equal(typeof value, shape, where);
  if (Array.isArray(shape)) {
    assert.ok(Array.isArray(value), where);
    return value.forEach((each, index) => shaped(each, shape[0], `${where}[${index}]`));
  }
  assert.ok(value !== null && typeof value === "object", where);
  for (const [name, inner] of Object.entries(shape)) shaped(value[name], inner, `${where}.${name}`);
}

async function office(method, path, body, secret = key) {
  const answer = await fetch(address + path, {
    method,
    headers: { Authorization: `Bearer ${secret}` },
    ...(body && { body: JSON.stringify(body) }),
  });
  assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${await answer.clone().text()}`);
  return answer.json();
}

async function planned(planningId, enough = (answer) => answer.status === "F") {
  for (const deadline = Date.now() + 90_000; Date.now() < deadline; await new Promise((done) => setTimeout(done, 100))) {
    const answer = await client.getPlanningStatus(planningId);
    shaped(answer, { success: "boolean", status: "string", percentageComplete: "number" });
    if (enough(answer)) return answer.percentageComplete;
    assert.ok(["N", "R"].includes(answer.status), JSON.stringify(answer));
  }
  assert.fail("the plan did not come");
}

const place = (number) => ({
  locationNo: `L${number}`, locationName: `Shop ${number}`, address: `Ilica ${number}`, latitude: 45.81 + number / 1000,
  longitude: 15.97, checkInTime: 0, notes: "",
});
const order = (number, more = {}) => ({
  orderNo: `A${number}`, date, type: "D", duration: 5, location: place(number), timeWindows: [], priority: "M", load1: 1, ...more,
});

await office("PUT", "/api/fleet", {
  vehicles: [{ externalId: "V1", registration: "ZG 1", label: "Van 1", capacity1: 100 }],
  drivers: [{
    externalId: "D1", serial: "001", name: "Ana", vehicle: "V1", workTime: { from: "00:00", to: "23:59" },
    startLocation: { latitude: 45.8, longitude: 15.97, address: "Depot" },
  }],
});

// Orders: one, several, changed, looked for.
const one = await client.createOrder({ ...order(1), operation: "CREATE", timeWindows: [{ twFrom: "00:00", twTo: "23:59" }] });
shaped(one, { success: "boolean", id: "string", location: LOCATION });
assert.equal(one.success, true);
const again = await client.createOrder({ ...order(1), operation: "CREATE" });
assert.deepEqual([again.success, again.code, typeof again.message], [false, "ERR_ORD_EXISTS", "string"]);

const several = await client.createOrUpdateOrders({ orders: [1, 2, 3, 4].map((n) => order(n, { operation: "SYNC", notes: `note ${n}` })) });
shaped(several, { success: "boolean", orders: [{ success: "boolean", orderNo: "string", id: "string" }] });
assert.deepEqual(several.orders.map((each) => each.orderNo), ["A1", "A2", "A3", "A4"]);
assert.equal(several.orders[0].id, one.id);

const byNumber = await client.getOrders("A1");
shaped(byNumber, { success: "boolean", orders: [{ success: "boolean", id: "string", data: ORDER }] });
const got = await client.getOrders([{ orderNo: "A2" }, { id: one.id }, { orderNo: "nobody's" }]);
assert.deepEqual(got.orders.map((each) => each.data?.notes ?? each.code), ["note 2", "note 1", "ERR_ORD_NOT_FOUND"]);
got.orders.slice(0, 2).forEach((each) => shaped(each.data, ORDER));

const found = await client.searchOrders({
  dateRange: { from: date, to: date }, orderStatus: ["unscheduled"], includeOrderData: true, includeScheduleInformation: true,
});
shaped(found, { success: "boolean", orders: [{ id: "string", data: ORDER }] });
assert.deepEqual(found.orders.map((each) => each.data.orderNo).sort(), ["A1", "A2", "A3", "A4"]);
assert.deepEqual(found.orders.map((each) => each.scheduleInformation), [null, null, null, null]);

const unscheduled = await client.getSchedulingInfo({ orderNo: "A1" });
assert.deepEqual(unscheduled, { success: true, orderScheduled: false });

// A plan: for a driver who works otherwise today, once stopped, once finished.
const changed = await client.updateDriverParameters({
  externalId: "D1", date, enabled: true, workTimeFrom: "00:00", workTimeTo: "23:58", assignedVehicle: "V1", vehicleCapacity1: 50,
});
assert.equal(changed.success, true);
const unknown = await client.updateDriverParameters({ externalId: "nobody", date });
assert.deepEqual([unknown.success, unknown.code], [false, "ERR_DRIVER_NOT_FOUND"]);

const missing = await client.startPlanning({ date, useOrders: ["A1", "nobody's"], balancingFactor: 0.3 });
assert.deepEqual([missing.code, missing.missingOrders], ["ERR_ORD_NOT_FOUND", ["nobody's"]]);
await office("PATCH", "/api/settings", { planningSeconds: 60 }); // it runs until it is stopped
const first = await client.startPlanning({ date, balancing: "ON", balanceBy: "NUM", balancingFactor: 0.3 });
shaped(first, { success: "boolean", planningId: "number" });
const busy = await client.startPlanning({ date, balancingFactor: 0.3 });
assert.deepEqual([busy.code, busy.planningId], ["ERR_OPT_RUNNING_FOR_DATE", first.planningId]);
const locked = await client.deleteOrder("A1");
assert.deepEqual([locked.code, locked.planningId], ["ERR_OPT_RUNNING", first.planningId]);
await planned(first.planningId, (answer) => answer.percentageComplete > 0);
assert.equal((await client.stopPlanning(first.planningId)).success, true);
assert.equal((await client.stopPlanning(first.planningId)).code, "ERR_OPT_NOT_RUNNING");
await office("PATCH", "/api/settings", { planningSeconds: 0.5 });
const second = await client.startPlanning({
  date, startWith: "CURRENT", lockType: "NONE", depotTrips: false, clustering: false, useDrivers: [{ driverExternalId: "D1" }],
  includeScheduledOrders: true, balancingFactor: 0.3,
});
assert.equal(await planned(second.planningId), 100);

const routes = await client.getRoutes({ date, driverExternalId: "D1", includeRoutePolyline: true });
shaped(routes, { success: "boolean", routes: [ROUTE] });
assert.equal(routes.routes[0].stops.length, 4);
assert.deepEqual((await client.getRoutes({ date, driverSerial: "nobody" })).routes, []);
const scheduled = await client.getSchedulingInfo({ id: one.id });
shaped(scheduled, { success: "boolean", orderScheduled: "boolean", scheduleInformation: { ...WHO, ...WHEN } });

// The day: the plan is sent, and a phone reports.
await office("POST", `/api/plans/${date}/send`);
const before = await client.getMobileEvents("");
shaped(before, { success: "boolean", events: [EVENT], tag: "string", remainingEvents: "number" });
assert.deepEqual(before.events, []);

const driver = (await office("GET", "/api/drivers")).items[0];
const { code } = await office("POST", `/api/drivers/${driver.id}/pairing`);
const { token } = await office("POST", "/driver/v1/pair", { code, device: { platform: "ios", model: "test", appVersion: "1" } });
const nowS = Math.floor(Date.now() / 1000);
const act = (action, secondsAgo, more) => ({ id: randomUUID(), action, timestamp: nowS - secondsAgo, ...more });
await office("POST", "/driver/v1/actions", { actions: [
  act("on_duty", 60), act("start_route", 50), act("start_service", 40, { orderNo: "A1" }),
  act("success", 30, { orderNo: "A1", form: { note: "left with the neighbour" } }),
  act("failed", 20, { orderNo: "A2", form: { note: "nobody there" } }),
] }, token);

const events = await client.getMobileEvents(before.tag);
shaped(events, { success: "boolean", events: [EVENT], tag: "string", remainingEvents: "number" });
assert.deepEqual(
  events.events.map((each) => [each.event, each.orderNo]),
  [["on_duty", undefined], ["start_route", undefined], ["start_service", "A1"], ["success", "A1"], ["failed", "A2"]],
);
assert.deepEqual((await client.getMobileEvents(events.tag)).events, []);

const completion = { status: "string", startTime: TIME, endTime: TIME, form: { note: "string" }, tracking_url: "string" };
const done = await client.getCompletionDetails("A1");
shaped(done, { success: "boolean", orders: [{ success: "boolean", orderNo: "string", data: completion }] });
const became = await client.getCompletionDetails([{ orderNo: "A1" }, { orderNo: "A2" }, { orderNo: "A3" }, { orderNo: "nobody's" }]);
assert.deepEqual(
  became.orders.map((each) => each.data?.status ?? each.code),
  ["success", "failed", became.orders[2].data.status, "ERR_ORD_NOT_FOUND"],
);
assert.ok(["scheduled", "on_route"].includes(became.orders[2].data.status));

// All of it goes.
assert.deepEqual(await client.deleteOrder("A4"), { success: true });
const gone = await client.deleteOrders({ orders: [{ orderNo: "A3" }, { orderNo: "nobody's" }], deleteMultiple: true });
assert.deepEqual(gone.orders.map((each) => [each.orderNo, each.code]), [["A3", undefined], ["nobody's", "ERR_ORD_NOT_FOUND"]]);
assert.equal((await client.deleteAllOrders(date)).success, true);
assert.equal((await client.deleteAllOrders()).success, true);
assert.deepEqual((await client.searchOrders({ dateRange: { from: date, to: date } })).orders, []);

const stranger = new OptimoRoute({ authKey: "nobody's", basePath: `${address}/v1/` });
assert.equal((await stranger.getRoutes({ date })).code, "AUTH_KEY_UNKNOWN");

const methods = Object.getOwnPropertyNames(OptimoRoute.prototype).filter((name) => !["constructor", "request"].includes(name));
assert.deepEqual([...called].sort(), methods.sort(), "every method of the client is called");
console.log(`${methods.length} methods`);
