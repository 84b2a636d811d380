/** An order in plain words. The sentences themselves are in `words.json`, which the server reads too. */
import sentences from "../../words.json" with { type: "json" };
import { clock, dayName, toMs } from "../shared/time.ts";
import type { Tracking } from "../shared/wire.ts";

interface Sentences {
  step: number;
  headline: string;
  detail: string;
  eta?: string;
  window?: string;
  finished?: string;
}

export interface Words {
  headline: string;
  detail: string;
  /** How far along: 0 planned, 1 on the way, 2 there, 3 delivered; −1 where it ended otherwise. */
  step: number;
}

export function statusWords(order: Tracking): Words {
  const words: Sentences = (sentences as Record<string, Sentences>)[order.status] ?? sentences.unscheduled;
  const zone = order.timeZone;
  const day = dayName(toMs(order.finishedAt ?? order.window?.from ?? order.eta) ?? Date.now(), zone);
  const values: Record<string, string> = { day, eta: clock(order.eta, zone), from: clock(order.window?.from, zone), to: clock(order.window?.to, zone), finished: clock(order.finishedAt, zone) };
  const sentence =
    (order.finishedAt !== undefined ? words.finished : undefined) ??
    (order.window !== undefined ? words.window : undefined) ??
    (order.eta !== undefined ? words.eta : undefined) ??
    words.detail;
  return { headline: words.headline, detail: sentence.replace(/\{(\w+)\}/g, (_, name: string) => values[name] ?? ""), step: words.step };
}

/** Who is coming and how many stops are before this one; empty where that is not told. */
export function driverWords(order: Tracking): string {
  if (order.status !== "on_route" && order.status !== "servicing") return "";
  const who = order.driver?.firstName ?? "Your driver";
  if (order.status === "servicing") return order.driver?.firstName ? `${who} is at your address.` : "";
  const before = order.stopsBefore ?? 0;
  if (before > 0) return `${who} has ${before} ${before === 1 ? "stop" : "stops"} before yours.`;
  return order.driver?.firstName ? `${who} is driving to you now.` : "";
}
