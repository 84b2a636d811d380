/** The panels around the map, laid out once; each draws itself when the app says that its part changed. */
import { h, icon, setText } from "../shared/dom.ts";
import { DayPanel } from "./day.ts";
import { DriverList } from "./driverlist.ts";
import { Feed } from "./feed.ts";
import { Legend } from "./legend.ts";
import { PATHS } from "./look.ts";
import { Pill } from "./pill.ts";
import { Search } from "./search.ts";
import type { Part, Session } from "./session.ts";
import { Tip } from "./tip.ts";

export class Screen {
  readonly mapElement = h("div.map", { id: "map", "data-testid": "map" });
  readonly #session: Session;
  readonly #root: HTMLElement;
  readonly #date = h("input.date", { type: "date", "aria-label": "Day", "data-testid": "date" });
  readonly #zone = h("span.zone");
  readonly #notice = h("div.notice", { role: "status", hidden: true, "data-testid": "notice" });
  readonly #pill: Pill;
  readonly #list: DriverList;
  readonly #feed: Feed;
  readonly #day: DayPanel;
  readonly #legend: Legend;
  readonly #tip: Tip;
  readonly #tabs: HTMLElement;
  #noticeTimer: number | undefined;

  constructor(root: HTMLElement, session: Session) {
    this.#session = session;
    this.#root = root;
    this.#pill = new Pill(session);
    this.#list = new DriverList(session);
    this.#feed = new Feed(session);
    this.#day = new DayPanel(session);
    this.#legend = new Legend(session);
    this.#tip = new Tip(session);
    this.#tabs = this.#makeTabs();
    this.#date.addEventListener("change", () => {
      if (this.#date.value && this.#date.value !== session.date) session.setDate(this.#date.value);
    });
    const fit = h("button.tool", { type: "button", title: "Show the whole fleet (F)", "aria-label": "Show the whole fleet", "data-testid": "fit", onclick: () => session.fitAll() }, icon(PATHS.fit));
    root.replaceChildren(
      h("aside.left", { "aria-label": "Fleet" },
        h("header.bar", {}, h("span.brand", {}, "Codriver"), this.#pill.element),
        h("div.when", {}, this.#date, this.#zone),
        new Search(session).element,
        this.#list.element,
      ),
      h("main.middle", { "aria-label": "Map" }, this.mapElement, this.#legend.element, h("div.tools", {}, fit), this.#tip.element, this.#notice),
      h("aside.right", { "aria-label": "Day and events" }, this.#tabs, this.#day.element, this.#feed.element),
    );
    root.className = "app";
    this.#tab("drivers");
    window.addEventListener("keydown", (event) => this.#key(event));
  }

  redraw(parts: ReadonlySet<Part>): void {
    if (parts.has("link")) this.#pill.draw();
    if (parts.has("fleet") || parts.has("orders")) this.#list.sort();
    if (parts.has("fleet") || parts.has("drivers") || parts.has("orders")) {
      this.#list.draw();
      this.#day.draw();
      this.#legend.draw();
    }
    if (parts.has("events")) this.#feed.draw();
    if (this.#session.date !== undefined && document.activeElement !== this.#date && this.#date.value !== this.#session.date) this.#date.value = this.#session.date;
    setText(this.#zone, this.#session.zone ? this.#session.zone.replaceAll("_", " ") : "local time");
  }

  openDay(): void {
    const chosen = this.#session.selected !== undefined;
    this.#root.classList.toggle("has-day", chosen);
    if (chosen) this.#tab("day");
    else if (this.#root.dataset["tab"] === "day") this.#tab("drivers");
    this.#day.open();
  }

  point(target: { kind: "driver" | "stop"; id: string } | undefined, x: number, y: number): void {
    this.#tip.show(target, x, y);
  }

  followed(on: boolean): void {
    this.#day.followed(on);
  }

  /** On a phone the map is behind the panels: bring it forward. */
  showMap(): void {
    this.#root.scrollTo({ top: 0 });
  }

  withoutMap(): void {
    this.mapElement.append(
      h("div.no-map", { "data-testid": "no-map" }, h("p", {}, h("b", {}, "This browser cannot draw the map.")), h("p", {}, "It has no WebGL 2. Drivers, stops and events are kept up to date in the lists.")),
    );
  }

  notice(text: string): void {
    setText(this.#notice, text);
    this.#notice.hidden = false;
    window.clearTimeout(this.#noticeTimer);
    this.#noticeTimer = window.setTimeout(() => (this.#notice.hidden = true), 6000);
  }

  /** Three tabs on a phone, where the panels share one place. */
  #makeTabs(): HTMLElement {
    const tab = (name: string, label: string): HTMLElement =>
      h("button.tab", { type: "button", "data-tab": name, onclick: () => this.#tab(name) }, label);
    return h("nav.tabs", { "aria-label": "Panels" }, tab("drivers", "Drivers"), tab("events", "Events"), tab("day", "Day"));
  }

  #tab(name: string): void {
    this.#root.dataset["tab"] = name;
    for (const each of this.#tabs.children) each.setAttribute("aria-pressed", String((each as HTMLElement).dataset["tab"] === name));
    this.#list.draw();
  }

  #key(event: KeyboardEvent): void {
    const typing = event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "/" && !typing) {
      event.preventDefault();
      this.#root.querySelector<HTMLInputElement>(".search input")?.focus();
    } else if (event.key === "Escape" && !typing && this.#session.selected !== undefined && !document.querySelector("dialog[open]")) {
      this.#session.select(undefined);
    } else if (event.key === "f" && !typing) {
      this.#session.fitAll();
    }
  }
}
