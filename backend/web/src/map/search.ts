/** One field over drivers, orders and addresses: what is loaded answers at once, the server adds orders of other days. */
import { h, icon } from "../shared/dom.ts";
import { DRIVER, PATHS, STATUS } from "./look.ts";
import { find, type Hit } from "./find.ts";
import type { Session } from "./session.ts";

const ASK_AFTER_MS = 250;

export class Search {
  readonly element: HTMLElement;
  readonly #session: Session;
  readonly #field = h("input", {
    type: "search", placeholder: "Driver, order or address", "aria-label": "Search drivers, orders and addresses", autocomplete: "off", spellcheck: "false",
    role: "combobox", "aria-expanded": "false", "aria-controls": "hits", "aria-autocomplete": "list", "data-testid": "search",
  });
  readonly #hits = h("ul.hits", { id: "hits", role: "listbox", hidden: true });
  #shown: Hit[] = [];
  #at = 0;
  #ask: number | undefined;
  #asked: AbortController | undefined;

  constructor(session: Session) {
    this.#session = session;
    this.#field.addEventListener("input", () => this.#search());
    this.#field.addEventListener("focus", () => this.#search());
    this.#field.addEventListener("keydown", (event) => this.#key(event));
    this.#field.addEventListener("blur", () => window.setTimeout(() => this.#close(), 150));
    this.element = h("div.search", {}, icon(PATHS.search, 17), this.#field, h("kbd", { "aria-hidden": "true" }, "/"), this.#hits);
  }

  #search(): void {
    const text = this.#field.value;
    window.clearTimeout(this.#ask);
    this.#asked?.abort();
    if (text.trim() === "") return this.#close();
    this.#show(find(this.#session.fleet, text));
    this.#ask = window.setTimeout(() => void this.#askServer(text), ASK_AFTER_MS);
  }

  async #askServer(text: string): Promise<void> {
    this.#asked = new AbortController();
    try {
      const orders = await this.#session.api.searchOrders(text.trim(), this.#asked.signal);
      if (this.#field.value !== text || document.activeElement !== this.#field) return;
      const known = new Set(this.#shown.map((hit) => hit.id));
      const more = orders.filter((order) => !known.has(order.id) && !this.#session.fleet.orders.has(order.id));
      this.#show([...this.#shown, ...more.map((order): Hit => ({ kind: "elsewhere", id: order.id, order }))]);
    } catch {
      // A viewer key may not search, and a newer search ends this one: what is loaded was found already.
    }
  }

  #show(hits: Hit[]): void {
    this.#shown = hits;
    this.#at = Math.min(this.#at, Math.max(0, hits.length - 1));
    this.#hits.replaceChildren(...(hits.length > 0 ? hits.map((hit, i) => this.#line(hit, i)) : [h("li.none", {}, "Nothing found")]));
    this.#hits.hidden = false;
    this.#field.setAttribute("aria-expanded", "true");
    this.#mark();
  }

  #line(hit: Hit, index: number): HTMLElement {
    const dot = h("i.dot");
    const [title, detail, colour] = this.#words(hit);
    dot.style.backgroundColor = colour;
    return h("li", { id: `hit-${index}`, role: "option", "data-testid": "hit", onmousedown: (event: MouseEvent) => event.preventDefault(), onclick: () => this.#pick(hit) },
      dot, h("span", {}, h("b", {}, title), h("small", {}, detail)));
  }

  #words(hit: Hit): [string, string, string] {
    switch (hit.kind) {
      case "driver":
        return [hit.driver.name, [DRIVER[this.#session.state(hit.id)].label, hit.driver.externalId].filter(Boolean).join(" · "), DRIVER[this.#session.state(hit.id)].colour];
      case "stop":
        return [`${hit.stop.orderNo ?? ""} ${hit.stop.locationName ?? ""}`.trim(), [hit.stop.address, hit.route.driverName].filter(Boolean).join(" · "), STATUS[hit.stop.status ?? "scheduled"].colour];
      case "elsewhere":
        return [`${hit.order.orderNo} ${hit.order.locationName ?? ""}`.trim(), [hit.order.date, STATUS[hit.order.status]?.label, hit.order.address].filter(Boolean).join(" · "), STATUS[hit.order.status]?.colour ?? STATUS.unscheduled.colour];
    }
  }

  #pick(hit: Hit): void {
    this.#field.value = "";
    this.#close();
    this.#field.blur();
    switch (hit.kind) {
      case "driver":
        this.#session.select(hit.id);
        return this.#session.flyToDriver(hit.id);
      case "stop":
        return this.#session.selectOrder(hit.id);
      case "elsewhere":
        if (hit.order.date && hit.order.date !== this.#session.date && hit.order.driverId) this.#session.setDate(hit.order.date);
        if (hit.order.longitude !== undefined) this.#session.fly([hit.order.longitude, hit.order.latitude!]);
    }
  }

  #key(event: KeyboardEvent): void {
    switch (event.key) {
      case "ArrowDown":
      case "ArrowUp":
        event.preventDefault();
        this.#at = (this.#at + (event.key === "ArrowDown" ? 1 : -1) + this.#shown.length) % Math.max(1, this.#shown.length);
        return this.#mark();
      case "Enter": {
        const hit = this.#shown[this.#at];
        if (hit && !this.#hits.hidden) this.#pick(hit);
        return;
      }
      case "Escape":
        this.#field.value = "";
        this.#close();
        this.#field.blur();
    }
  }

  #mark(): void {
    [...this.#hits.children].forEach((line, i) => {
      line.setAttribute("aria-selected", String(i === this.#at));
      if (i === this.#at) line.scrollIntoView({ block: "nearest" });
    });
    this.#field.setAttribute("aria-activedescendant", this.#shown.length > 0 ? `hit-${this.#at}` : "");
  }

  #close(): void {
    this.#hits.hidden = true;
    this.#at = 0;
    this.#field.setAttribute("aria-expanded", "false");
  }
}
