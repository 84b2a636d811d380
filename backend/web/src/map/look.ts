/** Colours and words, each in one place. */
import type { OrderStatus } from "../shared/wire.ts";
import type { DriverState } from "./fleet.ts";

export interface Look {
  label: string;
  colour: string;
  /** The same hue where it is read as text on white: at least 4.5 to 1. */
  text: string;
}

export const STATUS: Record<OrderStatus, Look> = {
  unscheduled: { label: "Not planned", colour: "#b6bdc7", text: "#5c6b7d" },
  scheduled: { label: "Scheduled", colour: "#8b95a5", text: "#5c6b7d" },
  on_route: { label: "On the way", colour: "#2b6be4", text: "#2560d0" },
  servicing: { label: "Servicing", colour: "#e08a00", text: "#9a5b00" },
  success: { label: "Delivered", colour: "#1c9a5b", text: "#147a46" },
  failed: { label: "Failed", colour: "#d63b3b", text: "#c02c2c" },
  rejected: { label: "Rejected", colour: "#8a46c9", text: "#7a38b8" },
  cancelled: { label: "Cancelled", colour: "#c3c9d2", text: "#5c6b7d" },
};

export const SHOWN_STATUSES: OrderStatus[] = ["scheduled", "on_route", "servicing", "success", "failed", "rejected", "cancelled"];

export const DRIVER: Record<DriverState, Look> = {
  off: { label: "Off duty", colour: "#aeb6c2", text: "#5c6b7d" },
  stale: { label: "No signal", colour: "#7b8494", text: "#5c6b7d" },
  idle: { label: "On duty", colour: "#15808d", text: "#0f6f7b" },
  driving: { label: "Driving", colour: "#2b6be4", text: "#2560d0" },
  servicing: { label: "At a stop", colour: "#e08a00", text: "#9a5b00" },
};

export const DRIVER_STATES: DriverState[] = ["off", "stale", "idle", "driving", "servicing"];

/** Quiet hues that stay apart from the colours of the statuses; a route keeps its own. */
const HUES = ["#5b7db1", "#7a6fb0", "#4f8f8b", "#a8736b", "#6d8f56", "#9a6a95", "#8c7a4f", "#4d86a6", "#b07b4a", "#5f6f9c", "#6f9a7c", "#a5637c"];

export function routeColour(driverId: string): string {
  let hash = 0;
  for (let i = 0; i < driverId.length; i++) hash = (hash * 31 + driverId.charCodeAt(i)) >>> 0;
  return HUES[hash % HUES.length]!;
}

const EVENT_WORDS: Record<string, string> = {
  on_duty: "went on duty",
  off_duty: "went off duty",
  start_route: "started the route",
  end_route: "finished the route",
  start_time_changed: "moved the start",
  start_service: "arrived at",
  success: "delivered",
  failed: "could not deliver",
  rejected: "was refused",
  cancelled: "cancelled",
};

export function eventWords(event: string): string {
  return EVENT_WORDS[event] ?? event.replaceAll("_", " ");
}

export function eventColour(event: string): string {
  switch (event) {
    case "success":
    case "failed":
    case "rejected":
    case "cancelled":
      return STATUS[event].colour;
    case "start_service":
      return STATUS.servicing.colour;
    case "start_route":
    case "on_duty":
      return DRIVER.idle.colour;
    default:
      return DRIVER.off.colour;
  }
}

/** Drawings for `icon`, in a box of 24. */
export const PATHS = {
  search: "M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14Zm5.2 12.2L21 21",
  close: "M6 6l12 12M18 6L6 18",
  fit: "M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5",
  follow: "M12 3v3m0 12v3M3 12h3m12 0h3M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8Z",
  path: "M5 19c6 0 1-7 7-7s1-7 7-7",
  left: "M15 5l-7 7 7 7",
  right: "M9 5l7 7-7 7",
  down: "M5 9l7 7 7-7",
  up: "M5 15l7-7 7 7",
  alert: "M12 4 3 20h18L12 4Zm0 6v5m0 2.5v.5",
  file: "M7 3h7l5 5v13H7V3Zm7 0v5h5",
};
