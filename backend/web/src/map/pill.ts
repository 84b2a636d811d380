/** Whether what is seen is live. */
import { h, setText } from "../shared/dom.ts";
import type { Session } from "./session.ts";

export class Pill {
  readonly element: HTMLElement;
  readonly #text = h("span");
  readonly #now: HTMLButtonElement;
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
    this.#now = h("button.link", { type: "button", hidden: true, onclick: () => session.reconnectNow() }, "now");
    this.element = h("div.pill", { role: "status", "data-testid": "connection" }, h("i.dot"), this.#text, this.#now);
  }

  draw(): void {
    const state = this.#session.linkState;
    this.element.dataset["state"] = state.kind;
    this.#now.hidden = state.kind !== "waiting";
    setText(this.#text, this.#words());
  }

  #words(): string {
    const state = this.#session.linkState;
    switch (state.kind) {
      case "live":
        return "Live";
      case "connecting":
        return "Connecting…";
      case "waiting":
        return `Reconnecting in ${Math.max(0, Math.ceil((state.at - Date.now()) / 1000))} s`;
      case "offline":
        return "Offline";
      case "refused":
        return "Key refused";
      case "stopped":
        return `Stopped (${state.code})`;
    }
  }
}
