/** One stop of a day: its times in a line, and opened, its details and proof. */
import { h, safeUrl, setText } from "../shared/dom.ts";
import { clock, delay, metres, span } from "../shared/time.ts";
import type { Completion, Media, OrderDetail, Stop } from "../shared/wire.ts";
import { delayOf, isFinished, isLate } from "./fleet.ts";
import { lightBox } from "./lightbox.ts";
import { STATUS } from "./look.ts";
import type { Session } from "./session.ts";

const OFTEN_MS = 10_000;

export class StopRow {
  readonly element: HTMLLIElement;
  stop: Stop;
  readonly #session: Session;
  readonly #number = h("span.number");
  readonly #place = h("b");
  readonly #address = h("small");
  readonly #time = h("time");
  readonly #late = h("small.delay");
  readonly #status = h("small.status");
  readonly #details = h("div.details", { hidden: true });
  readonly #head: HTMLButtonElement;
  #shownFor = "";
  #askedMs = -Infinity;

  constructor(session: Session, stop: Stop) {
    this.#session = session;
    this.stop = stop;
    this.#head = h("button.stop", { type: "button", "aria-expanded": "false", onclick: () => this.#toggle() },
      this.#number,
      h("span.grow", {}, this.#place, this.#address),
      h("span.times", {}, this.#time, this.#late, this.#status),
    );
    this.element = h("li", { "data-testid": "stop", "data-order": stop.orderNo ?? "" }, this.#head, this.#details);
  }

  get isOpen(): boolean {
    return !this.#details.hidden;
  }

  open(): void {
    if (this.stop.type !== "order") return;
    this.#details.hidden = false;
    this.#head.setAttribute("aria-expanded", "true");
    void this.#load();
  }

  draw(stop: Stop): void {
    this.stop = stop;
    const status = stop.status ?? "scheduled";
    const order = stop.type === "order";
    this.element.dataset["status"] = order ? status : stop.type;
    this.element.classList.toggle("chosen", stop.orderId !== undefined && stop.orderId === this.#session.order);
    this.#number.style.backgroundColor = order ? STATUS[status].colour : "";
    setText(this.#number, order ? String(stop.stopNumber) : stop.type === "break" ? "☕" : "⌂");
    setText(this.#place, stop.locationName ?? (order ? (stop.orderNo ?? "Stop") : stop.type === "break" ? "Break" : "Depot"));
    setText(this.#address, [order && stop.locationName !== undefined ? stop.orderNo : undefined, stop.address].filter(Boolean).join(" · "));
    const finished = isFinished(status);
    setText(this.#time, clock(finished ? stop.finishedAt : (stop.eta ?? stop.startedAt ?? stop.scheduledAt ?? stop.arrivalTime), this.#session.zone));
    const behind = status === "cancelled" ? "" : delay(delayOf(stop));
    setText(this.#late, behind);
    this.#late.classList.toggle("late", isLate(stop));
    this.#late.classList.toggle("early", behind.startsWith("−"));
    setText(this.#status, order ? `${STATUS[status].label}${stop.outOfOrder ? ", out of order" : ""}` : span(stop.duration ?? 0));
    this.#status.style.color = STATUS[status].text;
    if (this.isOpen && this.#shownFor !== status) void this.#load();
  }

  #toggle(): void {
    const { stop } = this;
    if (stop.longitude !== undefined && !this.isOpen) this.#session.fly([stop.longitude, stop.latitude!]);
    if (stop.type !== "order") return;
    if (this.isOpen) {
      this.#details.hidden = true;
      this.#head.setAttribute("aria-expanded", "false");
      return;
    }
    this.#session.chooseStop(stop.orderId);
    this.open();
  }

  /** Ask for the order's details; again when its status changed, and when it is opened a while later: photos may follow. */
  async #load(): Promise<void> {
    const { orderId } = this.stop;
    const status = this.stop.status ?? "scheduled";
    if (orderId === undefined || (this.#shownFor === status && performance.now() - this.#askedMs < OFTEN_MS)) return;
    this.#shownFor = status;
    this.#askedMs = performance.now();
    if (this.#details.childElementCount === 0) this.#details.replaceChildren(h("p.small", {}, "Loading…"));
    try {
      const order = await this.#session.api.order(orderId);
      this.#details.replaceChildren(...this.#facts(order), ...this.#proof(order.completion));
    } catch {
      this.#shownFor = "";
      this.#details.replaceChildren(h("p.small", {}, "The details could not be loaded."));
    }
  }

  #facts(order: OrderDetail): Node[] {
    const { stop } = this;
    const zone = this.#session.zone;
    const windows = (stop.timeWindows ?? []).map((window) => `${clock(window.from, zone) || "…"}–${clock(window.to, zone) || "…"}`).join(", ");
    const planned = stop.scheduledAt ?? stop.arrivalTime;
    const lines: [string, string | undefined][] = [
      ["Window", windows],
      ["Planned", planned && `${clock(planned, zone)}${stop.duration ? `, ${span(stop.duration)}` : ""}`],
      ["Arrived", clock(stop.startedAt, zone)],
      ["Finished", clock(stop.finishedAt, zone)],
      ["Leg", stop.distance === undefined ? undefined : `${metres(stop.distance)}${stop.travelTime ? `, ${span(stop.travelTime)}` : ""}`],
      ["Phone", order.phone],
      ["Notes", order.notes],
    ];
    const list = h("dl.facts");
    for (const [label, value] of lines) if (value) list.append(h("dt", {}, label), h("dd", {}, value));
    const link = safeUrl(order.trackingUrl);
    return link ? [list, h("a.small", { href: link, target: "_blank", rel: "noopener noreferrer" }, "Recipient's page")] : [list];
  }

  #proof(completion: Completion | undefined): Node[] {
    const form = completion?.form;
    if (form === undefined) return [];
    const media: { label: string; media: Media }[] = [];
    if (form.signature) media.push({ label: "Signature", media: form.signature });
    for (const image of form.images ?? []) media.push({ label: "Photo", media: image });
    for (const code of [...(form.barcode ?? []), ...(form.barcode_collections ?? [])]) {
      for (const image of code.scanInfo?.images ?? []) media.push({ label: "Barcode", media: image });
    }
    const codes = [...(form.barcode ?? []), ...(form.barcode_collections ?? [])].map((code) => code.scanInfo?.scanned ?? code.barcode).filter(Boolean);
    const shown = media.flatMap(({ label, media: each }) => {
      const url = safeUrl(each.url);
      return url ? [{ label, url, type: each.type ?? "" }] : [];
    });
    return [
      form.note ? h("p.note", { "data-testid": "note" }, form.note) : undefined,
      codes.length > 0 ? h("p.small", {}, `Scanned: ${codes.join(", ")}`) : undefined,
      shown.length > 0 ? lightBox(shown, `${this.stop.orderNo ?? ""} ${this.stop.locationName ?? ""}`.trim()) : undefined,
    ].filter((node) => node !== undefined);
  }
}
