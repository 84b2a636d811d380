/**
 * What the page knows of the fleet, and the rules by which messages change it. Pure: no clock, no page, no socket.
 *
 * A position never replaces a newer one, an event is counted once, and what an order is comes from the server's word after
 * each event. The maps are changed in place, because 10,000 drivers move twice a second.
 */
import { toMs } from "../shared/time.ts";
import type { FleetEvent, LiveDriver, LivePosition, OrderStatus, Position, Route, Stop } from "../shared/wire.ts";

export interface Driver {
  id: string;
  externalId?: string;
  serial?: string;
  name: string;
  onDuty: boolean;
  position: Position | null;
  routeId?: string;
}

export interface Placed {
  stop: Stop;
  route: Route;
}

export interface Fleet {
  drivers: Map<string, Driver>;
  /** By route id, and the same by driver. */
  routes: Map<string, Route>;
  routeOf: Map<string, Route>;
  /** Where each order is planned. */
  orders: Map<string, Placed>;
  /** Newest arrival first, at most `MOST_EVENTS`. */
  events: FleetEvent[];
  lastSequence: number;
}

export type DriverState = "off" | "stale" | "idle" | "driving" | "servicing";

const MOST_EVENTS = 300;

export function emptyFleet(): Fleet {
  return { drivers: new Map(), routes: new Map(), routeOf: new Map(), orders: new Map(), events: [], lastSequence: 0 };
}

/** The whole fleet anew. A driver that is not in it is gone. */
export function applySnapshot(fleet: Fleet, drivers: readonly LiveDriver[]): void {
  const before = fleet.drivers;
  fleet.drivers = new Map();
  for (const each of drivers) {
    const known = before.get(each.driverId)?.position ?? null;
    const position = newer(known, each.position);
    fleet.drivers.set(each.driverId, {
      id: each.driverId,
      name: each.name,
      onDuty: each.onDuty,
      position,
      ...(each.externalId !== undefined && { externalId: each.externalId }),
      ...(each.serial !== undefined && { serial: each.serial }),
      ...(each.routeId !== undefined && { routeId: each.routeId }),
    });
    const placed = each.orderId === undefined ? undefined : fleet.orders.get(each.orderId);
    if (placed && each.status && !isFinished(placed.stop.status)) placed.stop.status = each.status;
  }
}

export interface Moves {
  /** Drivers whose position changed. */
  moved: Driver[];
  /** True where somebody moved who was not in the snapshot: a new driver. */
  strangers: boolean;
}

/** New positions. */
export function applyPositions(fleet: Fleet, positions: readonly LivePosition[]): Moves {
  const moved: Driver[] = [];
  let strangers = false;
  for (const each of positions) {
    const driver = fleet.drivers.get(each.driverId);
    if (each.left) continue;
    if (driver === undefined) {
      strangers = true;
      continue;
    }
    const next = newer(driver.position, each);
    if (next === driver.position) continue;
    driver.position = next;
    moved.push(driver);
  }
  return { moved, strangers };
}

export interface EventEffect {
  /** False for an event that was here before. */
  fresh: boolean;
  driver: Driver | undefined;
  /** True where the event names an order or driver that the page has not loaded. */
  unknown: boolean;
}

export function applyEvent(fleet: Fleet, event: FleetEvent): EventEffect {
  const driver = driverOf(fleet, event);
  if (event.sequence !== undefined && fleet.events.some((each) => each.sequence === event.sequence)) {
    return { fresh: false, driver, unknown: false };
  }
  fleet.events.unshift(event);
  fleet.events.length = Math.min(fleet.events.length, MOST_EVENTS);
  if (event.sequence !== undefined) fleet.lastSequence = Math.max(fleet.lastSequence, event.sequence);

  const placed = event.orderId === undefined ? undefined : fleet.orders.get(event.orderId);
  const route = placed?.route ?? (event.routeId === undefined ? undefined : fleet.routes.get(event.routeId));
  if (placed) settle(placed.stop, event);
  if (route && event.event === "start_route") route.started = true;
  if (route && event.event === "end_route") route.ended = true;
  if (route) point(route);
  if (driver && event.event === "on_duty") driver.onDuty = true;
  if (driver && event.event === "off_duty") driver.onDuty = false;
  return { fresh: true, driver, unknown: (event.orderId !== undefined && !placed) || driver === undefined };
}

/** Events of before the page was opened, newest first; those that came meanwhile by the socket stay. */
export function applyHistory(fleet: Fleet, events: readonly FleetEvent[]): void {
  const known = new Set(fleet.events.map((each) => each.sequence));
  const all = [...fleet.events, ...events.filter((each) => each.sequence === undefined || !known.has(each.sequence))];
  all.sort((a, b) => (b.sequence ?? 0) - (a.sequence ?? 0));
  fleet.events = all.slice(0, MOST_EVENTS);
  fleet.lastSequence = Math.max(fleet.lastSequence, ...fleet.events.map((each) => each.sequence ?? 0));
}

/** The day's routes as the server has them now. */
export function applyRoutes(fleet: Fleet, routes: readonly Route[]): void {
  fleet.routes = new Map();
  fleet.routeOf = new Map();
  fleet.orders = new Map();
  for (const route of routes) {
    fleet.routes.set(route.id, route);
    fleet.routeOf.set(route.driverId, route);
    for (const stop of route.stops) if (stop.orderId !== undefined) fleet.orders.set(stop.orderId, { stop, route });
  }
}

/** @param nowS the server's Unix seconds
 *  @param staleS the age of a position from which it says nothing of now */
export function driverState(fleet: Fleet, driver: Driver, nowS: number, staleS = 120): DriverState {
  if (!driver.onDuty) return "off";
  if (driver.position === null || nowS - driver.position.timestamp > staleS) return "stale";
  const route = fleet.routeOf.get(driver.id);
  if (route === undefined) return "idle";
  let state: DriverState = "idle";
  for (const stop of route.stops) {
    if (stop.status === "servicing") return "servicing";
    if (stop.status === "on_route") state = "driving";
  }
  return state;
}

export interface Progress {
  done: number;
  failed: number;
  total: number;
  /** The stop being served or driven to, else the first that is left. */
  next: Stop | undefined;
  /** Seconds that the next stop, or else the last finished one, is behind its plan; negative is early. */
  delayS: number;
  /** True where an arrival is expected after its time window. */
  late: boolean;
}

export function progressOf(route: Route): Progress {
  const orders = route.stops.filter((stop) => stop.type === "order" && stop.status !== "cancelled");
  const done = orders.filter((stop) => isFinished(stop.status));
  const left = orders.filter((stop) => !isFinished(stop.status));
  const next = left.find((stop) => stop.status === "servicing") ?? left.find((stop) => stop.status === "on_route") ?? left[0];
  const last = done.reduce<Stop | undefined>((a, b) => ((toMs(b.finishedAt) ?? 0) > (toMs(a?.finishedAt) ?? -1) ? b : a), undefined);
  return {
    done: done.length,
    failed: done.filter((stop) => stop.status !== "success").length,
    total: orders.length,
    next,
    delayS: next ? delayOf(next) : last ? delayOf(last) : 0,
    late: left.some(isLate),
  };
}

/** Seconds behind the plan: of the real start where there is one, of the estimate else. */
export function delayOf(stop: Stop): number {
  const planned = toMs(stop.scheduledAt ?? stop.arrivalTime);
  const real = toMs(stop.startedAt) ?? (isFinished(stop.status) ? startOf(stop) : toMs(stop.eta));
  return planned === undefined || real === undefined ? 0 : (real - planned) / 1000;
}

/** True where the service starts, or will start, after the last time window closes. */
export function isLate(stop: Stop): boolean {
  const closes = Math.max(...(stop.timeWindows ?? []).map((window) => toMs(window.to) ?? Infinity), -Infinity);
  const starts = toMs(stop.startedAt) ?? (isFinished(stop.status) ? startOf(stop) : toMs(stop.eta));
  return starts !== undefined && closes !== -Infinity && starts > closes;
}

export function isFinished(status: OrderStatus | undefined): boolean {
  return status === "success" || status === "failed" || status === "rejected";
}

/** How many orders have each status. */
export function countStatuses(fleet: Fleet): Map<OrderStatus, number> {
  const counts = new Map<OrderStatus, number>();
  for (const { stop } of fleet.orders.values()) {
    const status = stop.status ?? "scheduled";
    counts.set(status, (counts.get(status) ?? 0) + 1);
  }
  return counts;
}

/** The driver an event is of: named by id, route, external id or serial, whichever is there. */
export function driverOf(fleet: Fleet, event: FleetEvent): Driver | undefined {
  const id =
    event.driverId ??
    (event.routeId !== undefined ? fleet.routes.get(event.routeId)?.driverId : undefined) ??
    (event.orderId !== undefined ? fleet.orders.get(event.orderId)?.route.driverId : undefined);
  if (id !== undefined) return fleet.drivers.get(id);
  for (const driver of fleet.drivers.values()) {
    if (event.driverExternalId ? driver.externalId === event.driverExternalId : event.driverSerial && driver.serial === event.driverSerial) return driver;
  }
  return undefined;
}

function newer(known: Position | null, given: Position | null): Position | null {
  if (given === null) return known;
  return known === null || given.timestamp > known.timestamp ? given : known;
}

function settle(stop: Stop, event: FleetEvent): void {
  const at = new Date(event.unixTimestamp * 1000).toISOString();
  if (event.status !== undefined) stop.status = event.status;
  else if (isFinished(event.event as OrderStatus)) stop.status = event.event as OrderStatus;
  else if (event.event === "start_service" && !isFinished(stop.status)) stop.status = "servicing";
  if (event.event === "start_service" && stop.startedAt === undefined) stop.startedAt = at;
  if (isFinished(stop.status) && isFinished(event.event as OrderStatus)) {
    stop.finishedAt = at;
    delete stop.eta;
  }
}

/** The first unfinished stop of a started route is the one driven to. */
function point(route: Route): void {
  if (!route.started && !route.stops.some((stop) => isFinished(stop.status))) return;
  let found = false;
  for (const stop of route.stops) {
    if (stop.type !== "order" || isFinished(stop.status) || stop.status === "cancelled") continue;
    if (stop.status !== "servicing") stop.status = found ? "scheduled" : "on_route";
    found = true;
  }
}

function startOf(stop: Stop): number | undefined {
  const finished = toMs(stop.finishedAt);
  return finished === undefined ? undefined : finished - (stop.duration ?? 0) * 1000;
}
