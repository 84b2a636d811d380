/** One dispatcher at one map: what the server says goes into the fleet, and from there to the map and the panels. */
import { browser, follow, Link, type LinkState } from "../shared/link.ts";
import { isoDate, knownZone } from "../shared/time.ts";
import type { LiveFrame, OrderStatus } from "../shared/wire.ts";
import type { LngLat } from "../shared/geo.ts";
import { fromMercator } from "../shared/geo.ts";
import { Api, ApiError } from "./api.ts";
import { Chart } from "./chart.ts";
import { ServerClock } from "./clock.ts";
import { applyEvent, applyHistory, applyPositions, applyRoutes, applySnapshot, driverState, emptyFleet, type Driver, type DriverState, type Fleet } from "./fleet.ts";
import { Motion } from "../shared/motion.ts";
import { Screen } from "./screen.ts";
import type { Part, Session } from "./session.ts";

const EVENTS_AT_START = 100;
const REDRAW_MS = 150;
/** From so many drivers on the panels are drawn less often; the map is not. */
const CROWD = 1000;
const REDRAW_CROWD_MS = 500;
/** Estimates change on the server as vans drive: ask again this often, and soon after something happened. */
const REFRESH_MS = 60_000;
const SETTLE_MS = 4_000;
const MEET_MS = 1_000;

export class App implements Session {
  readonly fleet: Fleet = emptyFleet();
  readonly motion = new Motion();
  readonly clock = new ServerClock();
  readonly api: Api;
  readonly link: Link;
  readonly screen: Screen;
  chart: Chart | undefined;
  zone: string | undefined;
  date: string | undefined;
  selected: string | undefined;
  order: string | undefined;
  hidden = new Set<OrderStatus>();
  hiddenStates = new Set<DriverState>();
  linkState: LinkState = { kind: "connecting" };
  routesLoaded = false;
  #states = new Map<string, DriverState>();
  #dirty = new Set<Part>();
  #redraw: number | undefined;
  #refresh: number | undefined;
  #soon: number | undefined;
  #lastLoadMs = 0;
  #placed = -1;
  #newConnection = true;
  #meeting: number | undefined;
  #send: ((message: unknown) => void) | undefined;
  #loading = 0;
  #fitted = false;
  #zoneKnown: Promise<void>;
  readonly #refused: (message: string) => void;

  /** @param refused called once, when the server does not take the key */
  constructor(root: HTMLElement, key: string, styleUrl: string | undefined, refused: (message: string) => void) {
    this.#refused = refused;
    this.api = new Api(key);
    this.date = new URLSearchParams(location.search).get("date") ?? undefined;
    this.screen = new Screen(root, this);
    const style = {
      state: (id: string) => this.#states.get(id) ?? "off",
      shown: (id: string) => !this.hiddenStates.has(this.#states.get(id) ?? "off"),
      name: (id: string) => this.fleet.drivers.get(id)?.name ?? "",
    };
    this.chart = Chart.open(this.screen.mapElement, this.motion, style, {
      driverPicked: (id) => this.select(id),
      stopPicked: (id) => this.selectOrder(id, false),
      groundPicked: () => undefined,
      pointed: (target, x, y) => this.screen.point(target, x, y),
      dragged: () => this.screen.followed(false),
    }, styleUrl);
    if (this.chart === undefined) this.screen.withoutMap();
    this.#zoneKnown = this.#learnZone();
    this.link = new Link(browser("/live", () => ["codriver.v1.json", `bearer.${key}`]), {
      opened: (send) => {
        this.#send = send;
        this.#subscribe();
      },
      received: (message) => this.#received(message as LiveFrame),
      changed: (state) => this.#linkChanged(state),
    });
    follow(this.link);
    window.setInterval(() => this.#tick(), 1000);
    this.link.start();
  }

  state(id: string): DriverState {
    return this.#states.get(id) ?? "off";
  }

  select(driverId: string | undefined, orderId?: string): void {
    this.selected = driverId;
    this.order = orderId;
    this.#showChoice();
    this.chart?.drawChosen(this.fleet);
    this.hideTrack();
    this.chart?.follow(false);
    this.chart?.relabel();
    this.screen.openDay();
    this.mark("drivers");
  }

  selectOrder(orderId: string, fly = true): void {
    const placed = this.fleet.orders.get(orderId);
    if (placed === undefined) return;
    this.select(placed.route.driverId, orderId);
    if (fly && placed.stop.longitude !== undefined) this.fly([placed.stop.longitude, placed.stop.latitude!]);
  }

  chooseStop(orderId: string | undefined): void {
    this.order = orderId;
    this.#showChoice();
    this.mark("drivers");
  }

  /** To where the driver is drawn, or else was last. */
  flyToDriver(id: string): void {
    const slot = this.motion.slot(id);
    if (slot !== undefined) this.fly(fromMercator(this.motion.x[slot]!, this.motion.y[slot]!), 13.5);
  }

  fly(to: LngLat, zoom?: number): void {
    this.screen.showMap();
    this.chart?.fly(to, zoom);
  }

  /** The whole fleet, with its stops, in view. */
  fitAll(animate = true): void {
    const points: LngLat[] = [];
    for (const { position, onDuty } of this.fleet.drivers.values()) if (position && onDuty) points.push([position.longitude, position.latitude]);
    for (const { stop } of this.fleet.orders.values()) if (stop.longitude !== undefined) points.push([stop.longitude, stop.latitude!]);
    if (points.length === 0) for (const { position } of this.fleet.drivers.values()) if (position) points.push([position.longitude, position.latitude]);
    this.chart?.fit(points, animate);
  }

  fitRoute(driverId: string): void {
    const route = this.fleet.routeOf.get(driverId);
    const position = this.fleet.drivers.get(driverId)?.position;
    const points: LngLat[] = (route?.stops ?? []).flatMap((stop): LngLat[] => (stop.longitude === undefined ? [] : [[stop.longitude, stop.latitude!]]));
    if (position) points.push([position.longitude, position.latitude]);
    this.screen.showMap();
    this.chart?.fit(points);
  }

  async showTrack(driverId: string): Promise<void> {
    const nowMs = this.clock.nowS() * 1000;
    const route = this.fleet.routeOf.get(driverId);
    const start = Date.parse(route?.start?.time ?? "") - 3_600_000;
    const from = Number.isFinite(start) && start < nowMs ? start : nowMs - 12 * 3_600_000;
    const line = await this.api.track(driverId, new Date(from).toISOString(), new Date(nowMs + 1000).toISOString());
    if (this.selected === driverId) this.chart?.drawTrack(line);
  }

  hideTrack(): void {
    this.chart?.drawTrack([]);
  }

  follow(on: boolean): void {
    this.chart?.follow(on);
  }

  notice(text: string): void {
    this.screen.notice(text);
  }

  reconnectNow(): void {
    this.link.hurry();
  }

  setDate(date: string): void {
    this.date = date;
    const address = new URL(location.href);
    address.searchParams.set("date", date);
    history.replaceState(null, "", address);
    this.#fitted = false;
    this.fleet.events = [];
    this.select(undefined);
    void this.#loadDay();
  }

  toggleStatus(status: OrderStatus): void {
    if (!this.hidden.delete(status)) this.hidden.add(status);
    this.chart?.hide(this.hidden);
    this.mark("orders");
  }

  toggleState(state: DriverState): void {
    if (!this.hiddenStates.delete(state)) this.hiddenStates.add(state);
    this.chart?.vehicles.restyle();
    this.chart?.relabel();
    this.mark("fleet");
  }

  /** Have these parts drawn anew soon. */
  mark(...parts: Part[]): void {
    for (const part of parts) this.#dirty.add(part);
    this.#redraw ??= window.setTimeout(() => {
      this.#redraw = undefined;
      const dirty = new Set(this.#dirty);
      this.#dirty.clear();
      if (dirty.has("orders")) {
        this.chart?.drawStops(this.fleet);
        this.chart?.drawChosen(this.fleet);
      }
      const about = dirty.has("orders") || dirty.has("drivers") || dirty.has("fleet");
      if (about && this.#restate()) dirty.add("fleet");
      this.screen.redraw(dirty);
    }, this.fleet.drivers.size > CROWD ? REDRAW_CROWD_MS : REDRAW_MS);
  }

  #received(frame: LiveFrame): void {
    switch (frame.type) {
      case "snapshot":
        return this.#snapshot(frame);
      case "positions": {
        const { moved, strangers } = applyPositions(this.fleet, frame.drivers);
        if (strangers) this.#meet();
        return this.#moved(moved, false);
      }
      case "event": {
        const { fresh, unknown, driver } = applyEvent(this.fleet, frame.event);
        if (fresh) this.mark("events", "orders", "drivers");
        if (unknown && driver === undefined) this.#meet();
        this.#refreshIn(SETTLE_MS);
        return;
      }
      case "plan":
        if (frame.date === this.date) this.#refreshIn(200);
        return;
      case "error":
        return this.screen.notice(frame.message);
      default:
        return;
    }
  }

  /** All drivers, and every event since the last one that is known. */
  #subscribe(): void {
    const { lastSequence } = this.fleet;
    this.#send?.({ type: "subscribe", id: "map", drivers: "all", events: true, maxHz: 2, ...(lastSequence > 0 && { after: lastSequence }) });
  }

  /** Somebody is on the road who was not there at the start: subscribe again, which brings a new snapshot. */
  #meet(): void {
    this.#meeting ??= window.setTimeout(() => {
      this.#meeting = undefined;
      if (this.linkState.kind === "live") this.#subscribe();
    }, MEET_MS);
  }

  #snapshot(frame: Extract<LiveFrame, { type: "snapshot" }>): void {
    this.clock.set(frame.now, frame.clockSpeed);
    applySnapshot(this.fleet, frame.drivers);
    for (const id of [...this.motion.ids]) if (!this.fleet.drivers.has(id)) this.motion.remove(id);
    // On a new connection vans stand where they are now; on an old one they drive there.
    this.#moved([...this.fleet.drivers.values()], this.#newConnection);
    this.#newConnection = false;
    this.mark("fleet", "orders", "events");
    void this.#loadDay();
  }

  #moved(drivers: readonly Driver[], jump: boolean): void {
    const nowMs = performance.now();
    for (const { id, position } of drivers) {
      if (position) this.motion.place(id, position.longitude, position.latitude, position.heading, nowMs, jump || document.hidden);
    }
    if (drivers.length > 0) this.chart?.repaint();
    this.mark("drivers");
  }

  #linkChanged(state: LinkState): void {
    if (state.kind === "connecting") this.#newConnection = true;
    this.linkState = state;
    this.mark("link");
    if (state.kind === "refused") this.#refuse();
  }

  #refuse(): void {
    this.link.stop();
    this.#refused("This key was not accepted. It may be mistyped, revoked, or of another account.");
  }

  async #learnZone(): Promise<void> {
    try {
      this.zone = knownZone(await this.api.timeZone());
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) this.#refuse();
    }
  }

  /** Routes and events of the chosen day, or of today where none was chosen. */
  async #loadDay(): Promise<void> {
    const turn = ++this.#loading;
    await this.#zoneKnown;
    this.date ??= isoDate(this.clock.nowS() * 1000, this.zone);
    const date = this.date;
    try {
      const [routes, events] = await Promise.all([this.api.routes(date), this.api.events(date, EVENTS_AT_START)]);
      if (turn !== this.#loading) return;
      applyRoutes(this.fleet, routes);
      applyHistory(this.fleet, events);
      this.#routesChanged();
      this.#refreshIn(REFRESH_MS);
    } catch (error) {
      if (turn !== this.#loading) return;
      if (error instanceof ApiError && (error.status === 401 || error.status === 403)) return this.#refuse();
      this.screen.notice("The day's routes could not be loaded. Trying again.");
      this.#refreshIn(5_000);
    }
  }

  /** The routes alone again. Many changes in a row ask once. */
  #refreshIn(ms: number): void {
    if (ms > SETTLE_MS && this.#refresh !== undefined) return;
    if (ms === SETTLE_MS && this.#soon !== undefined) return;
    window.clearTimeout(this.#refresh);
    window.clearTimeout(this.#soon);
    const run = (): void => {
      this.#refresh = this.#soon = undefined;
      if (this.linkState.kind === "live" && !document.hidden) void this.#reloadRoutes();
      else this.#refreshIn(REFRESH_MS);
    };
    if (ms > SETTLE_MS) this.#refresh = window.setTimeout(run, ms);
    else this.#soon = window.setTimeout(run, Math.max(ms, this.#lastLoadMs * 10));
  }

  async #reloadRoutes(): Promise<void> {
    if (this.date === undefined) return;
    const turn = ++this.#loading;
    const before = performance.now();
    try {
      const routes = await this.api.routes(this.date);
      if (turn === this.#loading) {
        applyRoutes(this.fleet, routes);
        this.#routesChanged();
      }
      this.#lastLoadMs = performance.now() - before;
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) return this.#refuse();
    }
    this.#refreshIn(REFRESH_MS);
  }

  #routesChanged(): void {
    this.routesLoaded = true;
    this.chart?.drawRoutes(this.fleet);
    this.#showChoice();
    this.chart?.drawChosen(this.fleet);
    if (!this.#fitted && (this.fleet.drivers.size > 0 || this.fleet.orders.size > 0)) {
      this.#fitted = true;
      this.fitAll(false);
    }
    this.mark("drivers", "orders", "events");
  }

  /** Have the map show which driver, route and stop are chosen. */
  #showChoice(): void {
    const { selected } = this;
    this.chart?.choose(selected, selected === undefined ? undefined : this.fleet.routeOf.get(selected)?.id, this.order);
  }

  /** What each driver is doing now; answers whether anything changed, and only then tells the map. */
  #restate(): boolean {
    const nowS = this.clock.nowS();
    const staleS = this.clock.staleAfterS();
    let changed = this.#states.size !== this.fleet.drivers.size;
    const states = new Map<string, DriverState>();
    for (const [id, driver] of this.fleet.drivers) {
      const state = driverState(this.fleet, driver, nowS, staleS);
      if (this.#states.get(id) !== state) changed = true;
      states.set(id, state);
    }
    this.#states = states;
    if (changed || this.#placed !== this.motion.size) {
      this.#placed = this.motion.size;
      this.chart?.vehicles.restyle();
    }
    return changed;
  }

  #tick(): void {
    this.mark("drivers", "link");
    this.chart?.relabel();
  }
}
