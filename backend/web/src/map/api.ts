/** The office's HTTP, with the key in a header and nowhere else. */
import type { FleetEvent, OrderDetail, Route } from "../shared/wire.ts";

export class ApiError extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export class Api {
  readonly #key: string;

  constructor(key: string) {
    this.#key = key;
  }

  async routes(date: string): Promise<Route[]> {
    return (await this.#get<{ items: Route[] }>(`/api/routes?${new URLSearchParams({ date })}`)).items;
  }

  async events(date: string, limit: number): Promise<FleetEvent[]> {
    return (await this.#get<{ items: FleetEvent[] }>(`/api/events?${new URLSearchParams({ date, limit: String(limit) })}`)).items;
  }

  order(id: string): Promise<OrderDetail> {
    return this.#get(`/api/orders/${encodeURIComponent(id)}`);
  }

  /** Orders of any date and state whose number, place or address holds `q`. */
  async searchOrders(q: string, signal: AbortSignal): Promise<OrderDetail[]> {
    return (await this.#get<{ items: OrderDetail[] }>(`/api/orders?${new URLSearchParams({ q, limit: "8" })}`, signal)).items;
  }

  /** Where the driver was, as a line. */
  async track(driverId: string, from: string, to: string): Promise<[number, number][]> {
    const query = new URLSearchParams({ from, to, format: "geojson" });
    const feature = await this.#get<{ geometry: { coordinates: [number, number][] } | null }>(`/api/drivers/${encodeURIComponent(driverId)}/track?${query}`);
    return (feature.geometry?.coordinates ?? []).map(([longitude, latitude]) => [longitude, latitude]);
  }

  /** The account's time zone; undefined for a key that may not read settings. */
  async timeZone(): Promise<string | undefined> {
    try {
      return (await this.#get<{ timeZone?: string }>("/api/settings")).timeZone;
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) throw error;
      return undefined;
    }
  }

  async #get<T>(path: string, signal?: AbortSignal): Promise<T> {
    const timeout = AbortSignal.timeout(30_000);
    const answer = await fetch(path, {
      headers: { Authorization: `Bearer ${this.#key}`, Accept: "application/json" },
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
      credentials: "omit",
      cache: "no-store",
    });
    if (!answer.ok) throw new ApiError(answer.status, `${answer.status} ${path.split("?")[0]}`);
    return (await answer.json()) as T;
  }
}
