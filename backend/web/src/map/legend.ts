/** What the colours mean, how many there are of each, and a switch for each. */
import { h, setText } from "../shared/dom.ts";
import type { OrderStatus } from "../shared/wire.ts";
import { countStatuses, type DriverState } from "./fleet.ts";
import { DRIVER, SHOWN_STATUSES, STATUS } from "./look.ts";
import type { Session } from "./session.ts";

const SHOWN_STATES: DriverState[] = ["driving", "servicing", "idle", "stale", "off"];

export class Legend {
  readonly element: HTMLElement;
  readonly #session: Session;
  readonly #orders = new Map<OrderStatus, { chip: HTMLElement; count: HTMLElement }>();
  readonly #drivers = new Map<DriverState, { chip: HTMLElement; count: HTMLElement }>();

  constructor(session: Session) {
    this.#session = session;
    const orders = h("div.chips", { role: "group", "aria-label": "Stops by status" });
    const drivers = h("div.chips", { role: "group", "aria-label": "Drivers by state" });
    for (const status of SHOWN_STATUSES) {
      const made = this.#chip(STATUS[status].label, STATUS[status].colour, `status-${status}`, () => session.toggleStatus(status));
      this.#orders.set(status, made);
      orders.append(made.chip);
    }
    for (const state of SHOWN_STATES) {
      const made = this.#chip(DRIVER[state].label, DRIVER[state].colour, `state-${state}`, () => session.toggleState(state));
      made.chip.classList.add("of-driver");
      this.#drivers.set(state, made);
      drivers.append(made.chip);
    }
    this.element = h("div.legend", { "data-testid": "legend" }, drivers, orders);
  }

  draw(): void {
    const counts = countStatuses(this.#session.fleet);
    for (const [status, { chip, count }] of this.#orders) {
      const number = counts.get(status) ?? 0;
      setText(count, String(number));
      chip.setAttribute("aria-pressed", String(!this.#session.hidden.has(status)));
      chip.hidden = number === 0 && (status === "cancelled" || status === "rejected");
    }
    const states = new Map<DriverState, number>();
    for (const id of this.#session.fleet.drivers.keys()) states.set(this.#session.state(id), (states.get(this.#session.state(id)) ?? 0) + 1);
    for (const [state, { chip, count }] of this.#drivers) {
      setText(count, String(states.get(state) ?? 0));
      chip.setAttribute("aria-pressed", String(!this.#session.hiddenStates.has(state)));
      chip.hidden = (states.get(state) ?? 0) === 0 && state === "stale";
    }
  }

  #chip(label: string, colour: string, testid: string, toggle: () => void): { chip: HTMLElement; count: HTMLElement } {
    const dot = h("i.dot");
    dot.style.backgroundColor = colour;
    const count = h("b", {}, "0");
    const chip = h("button.chip", { type: "button", "aria-pressed": "true", "data-testid": testid, title: "Show or hide", onclick: toggle }, dot, h("span", {}, label), count);
    return { chip, count };
  }
}
