/** One driver's day: where they are, how far along, and each stop with its times and proof. */
import { h, icon, setText } from "../shared/dom.ts";
import { age, clock, delay, metres, span } from "../shared/time.ts";
import type { Route } from "../shared/wire.ts";
import { progressOf } from "./fleet.ts";
import { DRIVER, PATHS, routeColour } from "./look.ts";
import { initials } from "./driverlist.ts";
import type { Session } from "./session.ts";
import { StopRow } from "./stoprow.ts";

export class DayPanel {
  readonly element = h("section.day", { "aria-label": "Driver's day", "data-testid": "day" });
  readonly #session: Session;
  readonly #name = h("h2", { "data-testid": "day-name" });
  readonly #vehicle = h("span.small");
  readonly #badge = h("span.badge");
  readonly #state = h("b");
  readonly #position = h("span.small");
  readonly #figures = h("dl.figures");
  readonly #stops = h("ol.stops", { "data-testid": "stops" });
  readonly #none = h("p.empty", {}, "No route on this day.");
  readonly #follow: HTMLButtonElement;
  readonly #track: HTMLButtonElement;
  #rows: StopRow[] = [];
  #shape = "";

  constructor(session: Session) {
    this.#session = session;
    this.#follow = h("button.small-button", { type: "button", "aria-pressed": "false", onclick: () => this.#toggleFollow() }, icon(PATHS.follow, 15), "Follow");
    this.#track = h("button.small-button", { type: "button", "aria-pressed": "false", onclick: () => void this.#toggleTrack() }, icon(PATHS.path, 15), "Track");
    const close = h("button.close", { type: "button", "aria-label": "Close the day", title: "Close (Esc)", "data-testid": "day-close", onclick: () => session.select(undefined) }, icon(PATHS.close));
    this.element.append(
      h("header", {}, this.#badge, h("div.grow", {}, this.#name, this.#vehicle), close),
      h("div.now", {}, this.#state, this.#position),
      this.#figures,
      h("div.buttons", {}, this.#follow, this.#track, h("button.small-button", { type: "button", onclick: () => session.selected && session.fitRoute(session.selected) }, icon(PATHS.fit, 15), "Route")),
      this.#none,
      this.#stops,
    );
  }

  /** Another driver or stop was chosen. */
  open(): void {
    this.#shape = "";
    this.#track.setAttribute("aria-pressed", "false");
    this.followed(false);
    this.draw();
    const order = this.#session.order;
    const row = this.#rows.find((each) => each.stop.orderId !== undefined && each.stop.orderId === order);
    if (row === undefined) this.element.scrollTo({ top: 0 });
    else {
      row.open();
      row.element.scrollIntoView({ block: "nearest" });
    }
  }

  followed(on: boolean): void {
    this.#follow.setAttribute("aria-pressed", String(on));
  }

  draw(): void {
    const id = this.#session.selected;
    this.element.hidden = id === undefined;
    if (id === undefined) return;
    const driver = this.#session.fleet.drivers.get(id);
    const route = this.#session.fleet.routeOf.get(id);
    const state = this.#session.state(id);
    const name = driver?.name ?? route?.driverName ?? "Driver";
    setText(this.#name, name);
    setText(this.#badge, initials(name));
    this.#badge.style.backgroundColor = routeColour(id);
    setText(this.#vehicle, [route?.vehicle?.label, route?.vehicle?.registration, driver?.externalId].filter(Boolean).join(" · "));
    setText(this.#state, DRIVER[state].label);
    this.#state.style.color = DRIVER[state].text;
    const position = driver?.position;
    const speed = position?.speed === undefined || state === "off" ? "" : `${Math.round(position.speed * 3.6)} km/h · `;
    const old = position ? this.#session.clock.nowS() - position.timestamp : undefined;
    setText(this.#position, old === undefined ? "No position yet" : `${speed}position ${old < 5 ? "now" : `${age(old)} ago`}`);
    this.#none.hidden = route !== undefined;
    this.#figures.hidden = route === undefined;
    this.#drawStops(route);
    if (route) this.#drawFigures(route);
  }

  #drawFigures(route: Route): void {
    const progress = progressOf(route);
    const behind = delay(progress.delayS);
    const end = route.stops.findLast((stop) => stop.eta !== undefined);
    const figures: [string, string, string][] = [
      ["Stops", `${progress.done}/${progress.total}`, progress.failed > 0 ? `${progress.failed} not delivered` : ""],
      [behind.startsWith("−") ? "Ahead" : "Behind plan", behind === "" ? "on time" : behind.slice(1), progress.late ? "misses a window" : ""],
      ["Last stop", end ? clock(end.eta, this.#session.zone) : "—", ""],
      ["Route", route.distance === undefined ? "—" : metres(route.distance), route.duration === undefined ? "" : span(route.duration)],
    ];
    const key = JSON.stringify(figures);
    if (this.#figures.dataset["key"] === key) return;
    this.#figures.dataset["key"] = key;
    this.#figures.replaceChildren(...figures.map(([label, value, note]) => h("div", {}, h("dt", {}, label), h("dd", {}, value), note !== "" && h("small", {}, note))));
  }

  /** The rows anew where the plan changed; else only what is in them. */
  #drawStops(route: Route | undefined): void {
    const stops = route?.stops ?? [];
    const shape = `${route?.id} ${stops.map((stop) => stop.orderId ?? `${stop.type}${stop.stopNumber}`).join()}`;
    if (shape !== this.#shape) {
      const open = new Set(this.#rows.filter((row) => row.isOpen).map((row) => row.stop.orderId));
      this.#shape = shape;
      this.#rows = stops.map((stop) => new StopRow(this.#session, stop));
      this.#stops.replaceChildren(...this.#rows.map((row) => row.element));
      for (const row of this.#rows) if (row.stop.orderId !== undefined && open.has(row.stop.orderId)) row.open();
    }
    stops.forEach((stop, i) => this.#rows[i]!.draw(stop));
  }

  #toggleFollow(): void {
    const on = this.#follow.getAttribute("aria-pressed") !== "true";
    if (on && this.#session.selected !== undefined) this.#session.flyToDriver(this.#session.selected);
    this.#session.follow(on);
    this.followed(on);
  }

  async #toggleTrack(): Promise<void> {
    const id = this.#session.selected;
    if (id === undefined) return;
    const on = this.#track.getAttribute("aria-pressed") !== "true";
    this.#track.setAttribute("aria-pressed", String(on));
    if (!on) return this.#session.hideTrack();
    try {
      await this.#session.showTrack(id);
    } catch {
      this.#track.setAttribute("aria-pressed", "false");
      this.#session.notice("The driven track could not be loaded.");
    }
  }
}

