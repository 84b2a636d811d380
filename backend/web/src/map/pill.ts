/** Whether what is seen is live. */
import { h, setText } from "../shared/dom.ts";
import type { App } from "./app.ts";

export class Pill {
  readonly element: HTMLElement;
  readonly #text = h("span");
  readonly #now: HTMLButtonElement;
  readonly #app: App;

  constructor(app: App) {
    this.#app = app;
    this.#now = h("button.link", { type: "button", hidden: true, onclick: () => app.link.hurry() }, "now");
    this.element = h("div.pill", { role: "status", "data-testid": "connection" }, h("i.dot"), this.#text, this.#now);
  }

  draw(): void {
    const state = this.#app.linkState;
    this.element.dataset["state"] = state.kind;
    this.#now.hidden = state.kind !== "waiting";
    setText(this.#text, this.#words());
  }

  #words(): string {
    const state = this.#app.linkState;
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
