/** All drivers, of which only the rows in view exist: 10,000 scroll like ten. */
import { h, setText } from "../shared/dom.ts";
import { age, clock, delay } from "../shared/time.ts";
import { progressOf, type Driver, type DriverState, type Progress } from "./fleet.ts";
import { DRIVER, routeColour, STATUS } from "./look.ts";
import type { Session } from "./session.ts";

const ROW = 62;
const SPARE = 4;
const byName = new Intl.Collator();

type Order = "name" | "delay" | "progress";
const RANK: Record<DriverState, number> = { servicing: 0, driving: 0, idle: 0, stale: 1, off: 2 };

export class DriverList {
  readonly element: HTMLElement;
  readonly #session: Session;
  readonly #heading = h("h2", {}, "Drivers");
  readonly #scroller = h("div.rows", { tabindex: "-1", "data-testid": "drivers" });
  readonly #space = h("div.space");
  readonly #sort: HTMLSelectElement;
  readonly #pool: Row[] = [];
  #ids: string[] = [];

  constructor(session: Session) {
    this.#session = session;
    this.#sort = h("select", { "aria-label": "Sort drivers", onchange: () => this.sort() },
      h("option", { value: "name" }, "by name"), h("option", { value: "delay" }, "by delay"), h("option", { value: "progress" }, "by progress"));
    this.#scroller.append(this.#space);
    this.#scroller.addEventListener("scroll", () => this.draw(), { passive: true });
    this.#scroller.addEventListener("keydown", (event) => this.#key(event));
    new ResizeObserver(() => this.draw()).observe(this.#scroller);
    this.element = h("section.drivers", { "aria-label": "Drivers" }, h("div.head", {}, this.#heading, this.#sort), this.#scroller);
  }

  /** The order anew: who there is, what they do, or how far they are changed. */
  sort(): void {
    const drivers = [...this.#session.fleet.drivers.values()].filter((driver) => !this.#session.hiddenStates.has(this.#session.state(driver.id)));
    const keys = new Map(drivers.map((driver) => [driver.id, this.#weight(driver)]));
    drivers.sort((a, b) => RANK[this.#session.state(a.id)] - RANK[this.#session.state(b.id)] || keys.get(b.id)! - keys.get(a.id)! || byName.compare(a.name, b.name));
    this.#ids = drivers.map((driver) => driver.id);
    setText(this.#heading, `Drivers ${this.#ids.length || ""}`);
    this.#space.style.height = `${this.#ids.length * ROW}px`;
    this.draw();
  }

  #weight(driver: Driver): number {
    const order = this.#sort.value as Order;
    const route = order === "name" ? undefined : this.#session.fleet.routeOf.get(driver.id);
    if (route === undefined) return 0;
    const progress = progressOf(route);
    return order === "delay" ? progress.delayS : progress.done / Math.max(1, progress.total);
  }

  /** The rows in view, with what they show. */
  draw(): void {
    const first = Math.max(0, Math.floor(this.#scroller.scrollTop / ROW) - SPARE);
    const count = Math.min(this.#ids.length - first, Math.ceil(this.#scroller.clientHeight / ROW) + 2 * SPARE);
    while (this.#pool.length < count) {
      const row = new Row(this.#session);
      this.#pool.push(row);
      this.#space.append(row.element);
    }
    this.#pool.forEach((row, i) => {
      const id = i < count ? this.#ids[first + i] : undefined;
      row.element.hidden = id === undefined;
      if (id !== undefined) row.show(this.#session.fleet.drivers.get(id)!, (first + i) * ROW);
    });
  }

  #key(event: KeyboardEvent): void {
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    const now = this.#pool.find((row) => row.element.contains(document.activeElement));
    if (now === undefined) return;
    event.preventDefault();
    const at = this.#ids.indexOf(now.id) + (event.key === "ArrowDown" ? 1 : -1);
    const id = this.#ids[at];
    if (id === undefined) return;
    const top = at * ROW;
    if (top < this.#scroller.scrollTop) this.#scroller.scrollTop = top;
    else if (top + ROW > this.#scroller.scrollTop + this.#scroller.clientHeight) this.#scroller.scrollTop = top + ROW - this.#scroller.clientHeight;
    this.draw();
    this.#pool.find((row) => row.id === id && !row.element.hidden)?.element.focus();
  }
}

class Row {
  id = "";
  readonly element: HTMLButtonElement;
  readonly #session: Session;
  readonly #badge = h("span.badge");
  readonly #name = h("b.name");
  readonly #state = h("span.state");
  readonly #age = h("span.age");
  readonly #delay = h("span.delay");
  readonly #bar = h("span.bar");
  readonly #count = h("span.count");
  readonly #done = h("i");
  readonly #failed = h("i");
  #top = -1;

  constructor(session: Session) {
    this.#session = session;
    this.#bar.append(this.#done, this.#failed);
    this.#done.style.backgroundColor = STATUS.success.colour;
    this.#failed.style.backgroundColor = STATUS.failed.colour;
    this.element = h("button.row", { type: "button", "data-testid": "driver", onclick: () => this.#pick() },
      this.#badge,
      h("span.lines", {}, h("span.line", {}, this.#name, this.#delay), h("span.line", {}, this.#state, this.#age), h("span.line", {}, this.#bar, this.#count)),
    );
  }

  show(driver: Driver, top: number): void {
    const state = this.#session.state(driver.id);
    const route = this.#session.fleet.routeOf.get(driver.id);
    const progress = route && progressOf(route);
    if (top !== this.#top) this.element.style.transform = `translateY(${top}px)`;
    this.#top = top;
    if (this.id !== driver.id) {
      this.id = driver.id;
      this.element.dataset["driver"] = driver.externalId ?? driver.id;
      this.#badge.style.backgroundColor = routeColour(driver.id);
    }
    setText(this.#badge, initials(driver.name));
    setText(this.#name, driver.name);
    this.element.dataset["state"] = state;
    this.element.setAttribute("aria-pressed", String(this.#session.selected === driver.id));
    this.#state.style.color = DRIVER[state].text;
    setText(this.#state, stateWords(this.#session, state, progress));
    setText(this.#age, driver.position ? age(this.#session.clock.nowS() - driver.position.timestamp) : "—");
    const behind = progress && progress.done < progress.total && state !== "off" ? delay(progress.delayS) : "";
    setText(this.#delay, behind.startsWith("+") ? behind : "");
    this.#delay.classList.toggle("late", progress?.late ?? false);
    this.#bar.hidden = this.#count.hidden = progress === undefined;
    if (progress === undefined) return;
    this.#done.style.width = percent(progress.done - progress.failed, progress.total);
    this.#failed.style.width = percent(progress.failed, progress.total);
    setText(this.#count, `${progress.done}/${progress.total}`);
  }

  #pick(): void {
    this.#session.select(this.id);
    this.#session.fitRoute(this.id);
  }
}

function stateWords(session: Session, state: DriverState, progress: Progress | undefined): string {
  const next = progress?.next;
  if (state === "driving" && next?.eta) return `${clock(next.eta, session.zone)} → ${next.locationName ?? next.orderNo ?? "next stop"}`;
  if (state === "servicing" && next) return `At ${next.locationName ?? next.orderNo ?? "a stop"}`;
  if (state === "idle" && progress && progress.total > 0 && progress.done === progress.total) return "All stops done";
  return DRIVER[state].label;
}

export function initials(name: string): string {
  const words = name.trim().split(/\s+/);
  return [words[0], words.length > 1 ? words.at(-1) : ""].map((word) => [...(word ?? "")][0] ?? "").join("").toUpperCase();
}

function percent(part: number, whole: number): string {
  return `${whole === 0 ? 0 : (part / whole) * 100}%`;
}
