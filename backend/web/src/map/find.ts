/** Search over what is loaded. Every word must be somewhere; accents and case do not matter. Pure. */
import type { OrderDetail, Route, Stop } from "../shared/wire.ts";
import type { Driver, Fleet } from "./fleet.ts";

export type Hit =
  | { kind: "driver"; id: string; driver: Driver }
  | { kind: "stop"; id: string; stop: Stop; route: Route }
  /** An order that no route of this day holds. */
  | { kind: "elsewhere"; id: string; order: OrderDetail };

export function find(fleet: Fleet, text: string, most = 12): Hit[] {
  const words = fold(text).split(/\s+/).filter(Boolean);
  if (words.length === 0) return [];
  const matches = (...parts: (string | undefined)[]): boolean => {
    const all = fold(parts.filter(Boolean).join(" "));
    return words.every((word) => all.includes(word));
  };
  const hits: Hit[] = [];
  for (const driver of fleet.drivers.values()) {
    const vehicle = fleet.routeOf.get(driver.id)?.vehicle;
    if (matches(driver.name, driver.externalId, driver.serial, vehicle?.label, vehicle?.registration)) hits.push({ kind: "driver", id: driver.id, driver });
    if (hits.length >= most / 2) break;
  }
  for (const [id, { stop, route }] of fleet.orders) {
    if (hits.length >= most) break;
    if (matches(stop.orderNo, stop.locationName, stop.address)) hits.push({ kind: "stop", id, stop, route });
  }
  return hits;
}

function fold(text: string): string {
  return text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
}
