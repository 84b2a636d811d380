/** What happened, newest arrival first. */
import { h } from "../shared/dom.ts";
import { clock } from "../shared/time.ts";
import type { FleetEvent } from "../shared/wire.ts";
import { driverOf } from "./fleet.ts";
import { eventColour, eventWords } from "./look.ts";
import type { Session } from "./session.ts";

const SHOWN = 120;
/** An event that came this much after it happened is marked: the phone was offline. */
const LATE_S = 300;

export class Feed {
  readonly element: HTMLElement;
  readonly #list = h("ol.events", { "data-testid": "feed" });
  readonly #empty = h("p.empty", {}, "Nothing has happened yet on this day.");
  readonly #session: Session;
  readonly #rows = new Map<FleetEvent, HTMLElement>();

  constructor(session: Session) {
    this.#session = session;
    this.element = h("section.feed", { "aria-label": "Events" }, h("h2", {}, "Events"), this.#empty, this.#list);
  }

  /** Rows of events that stay are kept, so that what is focused stays focused. */
  draw(): void {
    const shown = this.#session.fleet.events.slice(0, SHOWN);
    const kept = new Set(shown);
    for (const [event, row] of this.#rows) {
      if (kept.has(event)) continue;
      row.remove();
      this.#rows.delete(event);
    }
    let before: Element | null = this.#list.firstElementChild;
    for (const event of shown) {
      let row = this.#rows.get(event);
      if (row === undefined) {
        row = this.#row(event);
        this.#rows.set(event, row);
      }
      if (row === before) before = before.nextElementSibling;
      else this.#list.insertBefore(row, before);
    }
    this.#empty.hidden = shown.length > 0;
  }

  #row(event: FleetEvent): HTMLElement {
    const stop = event.orderId === undefined ? undefined : this.#session.fleet.orders.get(event.orderId)?.stop;
    const place = stop?.locationName ?? stop?.address;
    const dot = h("i.dot");
    dot.style.backgroundColor = eventColour(event.event);
    const late = this.#lateness(event);
    return h("li", {},
      h("button.event", { type: "button", "data-testid": "event", "data-event": event.event, onclick: () => this.#open(event) },
        h("time", { datetime: event.utcTime ?? "" }, clock(event.unixTimestamp * 1000, this.#session.zone)),
        dot,
        h("span.what", {},
          h("b", {}, event.driverName ?? "Office"), ` ${eventWords(event.event)}`,
          (event.orderNo !== undefined || place !== undefined) && h("small", {}, [event.orderNo, place].filter(Boolean).join(" · ")),
          (late !== undefined || event.outOfOrder) && h("small.flag", {}, [late, event.outOfOrder && "out of order"].filter(Boolean).join(" · ")),
        ),
      ),
    );
  }

  #lateness(event: FleetEvent): string | undefined {
    const newest = this.#session.fleet.events.find((each) => (each.sequence ?? 0) < (event.sequence ?? 0));
    return newest !== undefined && newest.unixTimestamp - event.unixTimestamp > LATE_S ? "arrived late" : undefined;
  }

  #open(event: FleetEvent): void {
    if (event.orderId !== undefined && this.#session.fleet.orders.has(event.orderId)) return this.#session.selectOrder(event.orderId);
    if (event.position) this.#session.fly([event.position.longitude, event.position.latitude]);
    const driver = driverOf(this.#session.fleet, event);
    if (driver === undefined) return;
    this.#session.select(driver.id);
    if (!event.position) this.#session.flyToDriver(driver.id);
  }
}
