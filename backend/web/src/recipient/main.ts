/** The recipient's page: what the server wrote is kept up to date, and the driver is on a small map while on the way. */
import "./recipient.css";
import { h, safeUrl, setText } from "../shared/dom.ts";
import { browser, follow, Link, type LinkState } from "../shared/link.ts";
import { canDraw } from "../shared/webgl.ts";
import { clock } from "../shared/time.ts";
import type { Proof, Tracking, TrackingFrame } from "../shared/wire.ts";
import type { SmallMap } from "./smallmap.ts";
import { driverWords, statusWords } from "./words.ts";

const element = (id: string): HTMLElement => document.getElementById(id)!;

let shown: Tracking | undefined;
let linkState: LinkState = { kind: "connecting" };
let smallMap: Promise<SmallMap | undefined> | undefined;
let proofShown = "";

function show(order: Tracking): void {
  shown = order;
  const words = statusWords(order);
  element("tracking").dataset["status"] = order.status;
  document.title = [words.headline, order.companyName].filter(Boolean).join(" · ");
  setText(element("headline"), words.headline);
  setText(element("detail"), words.detail);
  element("steps").dataset["step"] = String(words.step);
  const driver = driverWords(order);
  setText(element("driver"), driver);
  element("driver").hidden = driver === "";
  showProof(order.proof);
  showMap(order);
  showFreshness();
}

/** The driver is on the map only while the server says where: before and after, the map is not there at all. */
function showMap(order: Tracking): void {
  const { driver, destination } = order;
  const holder = element("map");
  if (driver?.latitude === undefined || driver.longitude === undefined) {
    holder.hidden = true;
    const old = smallMap;
    smallMap = undefined;
    void old?.then((map) => map?.remove());
    return;
  }
  if (!canDraw()) return;
  holder.hidden = false;
  smallMap ??= import("./smallmap.ts").then(({ SmallMap }) => SmallMap.open(holder, destination)).catch(() => undefined);
  const place = { longitude: driver.longitude, latitude: driver.latitude, heading: driver.heading };
  void smallMap.then((map) => {
    if (map === undefined) holder.hidden = true;
    else map.move(place);
  });
}

function showProof(proof: Proof | undefined): void {
  const key = JSON.stringify(proof ?? null);
  if (key === proofShown) return;
  const first = proofShown === "";
  proofShown = key;
  const holder = element("proof");
  if (first && proof !== undefined && holder.childElementCount > 0) return; // as the server wrote it
  const files = [...(proof?.signature ? [{ label: "Signature", media: proof.signature }] : []), ...(proof?.images ?? []).map((media) => ({ label: "Photo", media }))];
  holder.replaceChildren(
    ...(proof?.note ? [h("blockquote", { "data-testid": "note" }, proof.note)] : []),
    ...files.flatMap(({ label, media }) => {
      const url = safeUrl(media.url);
      if (url === undefined) return [];
      const image = h("img", { src: url, alt: label, loading: "lazy" });
      image.addEventListener("error", () => image.remove());
      return [h("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, image, h("span", {}, label))];
    }),
  );
  holder.hidden = holder.childElementCount === 0;
}

function showFreshness(): void {
  const at = shown === undefined ? "" : clock(typeof shown.now === "number" ? shown.now * 1000 : shown.now, shown.timeZone);
  const words: Record<LinkState["kind"], string> = {
    live: `Updates automatically${at ? ` · ${at}` : ""}`,
    connecting: "Connecting…",
    waiting: `As of ${at || "a moment ago"} · connecting again…`,
    offline: `As of ${at || "a moment ago"} · you are offline`,
    refused: "This link is no longer valid.",
    stopped: "This link is no longer valid.",
  };
  const line = element("freshness");
  line.dataset["state"] = linkState.kind;
  setText(line, words[linkState.kind]);
}

const link = new Link(browser(`${location.pathname.replace(/\/$/, "")}/live`, () => []), {
  opened: () => undefined,
  received: (message) => {
    const frame = message as TrackingFrame;
    if (frame.type === "state") show(frame);
  },
  changed: (state) => {
    linkState = state;
    showFreshness();
  },
});
follow(link);
link.start();
