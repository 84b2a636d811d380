/** The fleet's routes and stops as GeoJSON. Pure. */
import { decodePolyline, distanceM, type LngLat } from "../shared/geo.ts";
import type { Route } from "../shared/wire.ts";
import { isFinished, type Fleet } from "./fleet.ts";
import { routeColour } from "./look.ts";

type Features = GeoJSON.FeatureCollection;

export function routeFeatures(fleet: Fleet): Features {
  const features = [...fleet.routes.values()].map((route) =>
    lineOf(pathOf(route), { routeId: route.id, driverId: route.driverId, colour: routeColour(route.driverId) }),
  );
  return { type: "FeatureCollection", features };
}

export function stopFeatures(fleet: Fleet): Features {
  const features: GeoJSON.Feature[] = [];
  for (const [orderId, { stop, route }] of fleet.orders) {
    if (stop.latitude === undefined || stop.longitude === undefined) continue;
    features.push({
      type: "Feature",
      geometry: { type: "Point", coordinates: [stop.longitude, stop.latitude] },
      properties: { orderId, routeId: route.id, status: stop.status ?? "scheduled", number: String(stop.stopNumber) },
    });
  }
  return { type: "FeatureCollection", features };
}

/** Where routes start and end, each place once. */
export function depotFeatures(fleet: Fleet): Features {
  const places = new Map<string, GeoJSON.Feature>();
  for (const route of fleet.routes.values()) {
    for (const place of [route.start, route.end]) {
      if (place === undefined) continue;
      const at: LngLat = [place.longitude, place.latitude];
      places.set(at.map((each) => each.toFixed(4)).join(), { type: "Feature", geometry: { type: "Point", coordinates: at }, properties: {} });
    }
  }
  return { type: "FeatureCollection", features: [...places.values()] };
}

/** One route in two parts: driven so far, and to come. */
export function driven(route: Route): Features {
  const path = pathOf(route);
  const last = route.stops.findLast((stop) => isFinished(stop.status) || stop.status === "servicing");
  let split = 0;
  if (last?.latitude !== undefined && last.longitude !== undefined) split = passes(path, route, last.stopNumber);
  const colour = routeColour(route.driverId);
  const features: GeoJSON.Feature[] = [];
  if (split > 0) features.push(lineOf(path.slice(0, split + 1), { colour, driven: true }));
  if (split < path.length - 1) features.push(lineOf(path.slice(split), { colour, driven: false }));
  return { type: "FeatureCollection", features };
}

export function lineOf(coordinates: LngLat[], properties: GeoJSON.GeoJsonProperties = {}): GeoJSON.Feature {
  return { type: "Feature", geometry: { type: "LineString", coordinates }, properties };
}

/** The planned line; straight from stop to stop where the plan has none. */
export function pathOf(route: Route): LngLat[] {
  const decoded = route.polyline ? decodePolyline(route.polyline) : [];
  if (decoded.length > 1) return decoded;
  const places = [route.start, ...route.stops, route.end];
  return places.flatMap((place): LngLat[] => (place?.latitude === undefined || place.longitude === undefined ? [] : [[place.longitude, place.latitude]]));
}

/** The index of `path` at which it comes by the stop `number`: each stop is looked for after the one before. */
function passes(path: readonly LngLat[], route: Route, number: number): number {
  let from = 0;
  for (const stop of route.stops) {
    if (stop.latitude === undefined || stop.longitude === undefined) continue;
    const at: LngLat = [stop.longitude, stop.latitude];
    let best = from;
    let least = Infinity;
    for (let i = from; i < path.length; i++) {
      const far = distanceM(path[i]!, at);
      if (far < least - 1) {
        least = far;
        best = i;
      }
      if (least < 15 && far > 60) break; // it was here; what comes later is another visit
    }
    from = best;
    if (stop.stopNumber >= number) break;
  }
  return from;
}
