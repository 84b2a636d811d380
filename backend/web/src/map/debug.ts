/** `window.codriver`: what the page shows, to read and not to change. For tests, and for a look from the console. */
import { fromMercator } from "../shared/geo.ts";
import { routeColour } from "./look.ts";
import type { App } from "./app.ts";

export interface ShownDriver {
  id: string;
  externalId: string | undefined;
  name: string;
  state: string;
  /** The colour of the route. */
  colour: string;
  /** Where the vehicle is drawn now, between its fixes. */
  longitude: number | undefined;
  latitude: number | undefined;
  heading: number | undefined;
  /** Unix seconds of the fix it moves to. */
  timestamp: number | undefined;
}

declare global {
  interface Window {
    codriver?: Readonly<{
      connection(): string;
      drivers(): ShownDriver[];
      orders(): Record<string, string>;
      events(): number;
      ready(): boolean;
      date(): string | undefined;
      now(): number;
      /** What the camera sees; undefined without a map. */
      view(): { longitude: number; latitude: number; zoom: number; width: number; height: number } | undefined;
      /** Frames drawn so far, and vehicles in the last one; undefined without a map. */
      drawn(): { frames: number; vehicles: number } | undefined;
    }>;
  }
}

export function debugHandle(app: App): void {
  window.codriver = Object.freeze({
    connection: () => app.linkState.kind,
    drivers: () =>
      [...app.fleet.drivers.values()].map((driver): ShownDriver => {
        const slot = app.motion.slot(driver.id);
        app.motion.sample(performance.now());
        const at = slot === undefined ? undefined : fromMercator(app.motion.x[slot]!, app.motion.y[slot]!);
        const heading = slot === undefined ? NaN : app.motion.heading[slot]!;
        return {
          id: driver.id,
          externalId: driver.externalId,
          name: driver.name,
          state: app.state(driver.id),
          colour: routeColour(driver.id),
          longitude: at?.[0],
          latitude: at?.[1],
          heading: Number.isNaN(heading) ? undefined : heading,
          timestamp: driver.position?.timestamp,
        };
      }),
    orders: () => Object.fromEntries([...app.fleet.orders.values()].map(({ stop }) => [stop.orderNo ?? stop.orderId, stop.status ?? "scheduled"])),
    events: () => app.fleet.events.length,
    ready: () => app.routesLoaded,
    date: () => app.date,
    now: () => app.clock.nowS(),
    view: () => app.chart?.view,
    drawn: () => app.chart && { frames: app.chart.vehicles.frames, vehicles: app.chart.vehicles.drawn },
  });
}
