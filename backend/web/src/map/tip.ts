/** A few words beside the pointer. */
import { h } from "../shared/dom.ts";
import { age, clock, delay } from "../shared/time.ts";
import { delayOf, isFinished } from "./fleet.ts";
import { DRIVER, STATUS } from "./look.ts";
import type { Session } from "./session.ts";

export class Tip {
  readonly element = h("div.tip", { hidden: true, role: "tooltip" });
  readonly #session: Session;
  #now = "";

  constructor(session: Session) {
    this.#session = session;
  }

  show(target: { kind: "driver" | "stop"; id: string } | undefined, x: number, y: number): void {
    this.element.hidden = target === undefined;
    if (target === undefined) {
      this.#now = "";
      return;
    }
    const key = `${target.kind} ${target.id}`;
    if (key !== this.#now) {
      this.#now = key;
      this.element.replaceChildren(...(target.kind === "driver" ? this.#driver(target.id) : this.#stop(target.id)));
    }
    const wide = this.element.offsetWidth;
    const room = this.element.parentElement?.clientWidth ?? 0;
    const left = x + 16 + wide > room ? x - wide - 12 : x + 16;
    this.element.style.transform = `translate(${Math.max(4, left)}px, ${Math.max(4, y + 14)}px)`;
  }

  #driver(id: string): Node[] {
    const driver = this.#session.fleet.drivers.get(id);
    if (driver === undefined) return [];
    const position = driver.position;
    const speed = position?.speed === undefined ? "" : ` · ${Math.round(position.speed * 3.6)} km/h`;
    const old = position ? this.#session.clock.nowS() - position.timestamp : undefined;
    return [h("b", {}, driver.name), h("span", {}, DRIVER[this.#session.state(id)].label + speed), h("small", {}, old === undefined ? "No position yet" : `Position ${old < 5 ? "now" : `${age(old)} ago`}`)];
  }

  #stop(id: string): Node[] {
    const placed = this.#session.fleet.orders.get(id);
    if (placed === undefined) return [];
    const { stop, route } = placed;
    const status = stop.status ?? "scheduled";
    const when = isFinished(status) ? clock(stop.finishedAt, this.#session.zone) : stop.eta ? `ETA ${clock(stop.eta, this.#session.zone)} ${delay(delayOf(stop))}` : clock(stop.scheduledAt, this.#session.zone);
    return [
      h("b", {}, `${stop.stopNumber}. ${stop.locationName ?? stop.orderNo ?? "Stop"}`),
      h("span", {}, `${STATUS[status].label} · ${when}`),
      h("small", {}, [stop.orderNo, route.driverName].filter(Boolean).join(" · ")),
    ];
  }
}
