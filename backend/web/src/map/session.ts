/** One dispatcher's session at the map, as the panels see it: what there is to show, and what may be asked for. */
import type { LngLat } from "../shared/geo.ts";
import type { LinkState } from "../shared/link.ts";
import type { OrderStatus } from "../shared/wire.ts";
import type { Api } from "./api.ts";
import type { ServerClock } from "./clock.ts";
import type { DriverState, Fleet } from "./fleet.ts";

/** Parts of the screen that are drawn anew soon, together. */
export type Part = "drivers" | "fleet" | "orders" | "events" | "link";

/** `App` is the one that there is. The panels know this alone, so that no panel depends on the whole application. */
export interface Session {
  readonly fleet: Fleet;
  readonly clock: ServerClock;
  readonly api: Api;
  /** IANA name of the account's time zone, once it is known. */
  readonly zone: string | undefined;
  /** The day that is shown, YYYY-MM-DD, once it is known. */
  readonly date: string | undefined;
  /** The id of the driver whose day is open. */
  readonly selected: string | undefined;
  /** The id of the order that is chosen in it. */
  readonly order: string | undefined;
  readonly hidden: ReadonlySet<OrderStatus>;
  readonly hiddenStates: ReadonlySet<DriverState>;
  readonly linkState: LinkState;

  /** What a driver is doing. */
  state(driverId: string): DriverState;
  select(driverId: string | undefined, orderId?: string): void;
  selectOrder(orderId: string, fly?: boolean): void;
  /** Choose a stop of the driver whose day is open, and leave the day open as it is. */
  chooseStop(orderId: string | undefined): void;
  setDate(date: string): void;
  toggleStatus(status: OrderStatus): void;
  toggleState(state: DriverState): void;

  fly(to: LngLat, zoom?: number): void;
  flyToDriver(driverId: string): void;
  /** Keep the selected driver in the middle of the map, or no longer. */
  follow(on: boolean): void;
  fitAll(): void;
  fitRoute(driverId: string): void;
  /** Draw the way that a driver went; it rejects where that cannot be loaded. */
  showTrack(driverId: string): Promise<void>;
  hideTrack(): void;

  notice(text: string): void;
  /** Reconnect now instead of when it is due. */
  reconnectNow(): void;
}
