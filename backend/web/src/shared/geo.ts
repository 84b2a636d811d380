/** Plane and sphere: Web Mercator as MapLibre draws it, polylines, and the lines of a graticule. Degrees, metres. */

export type LngLat = [longitude: number, latitude: number];

const EARTH_M = 6_371_008.8;
const RAD = Math.PI / 180;
const STEEPEST = 85.051129;

/** Web Mercator, x and y in 0..1 from the north-west corner. */
export function toMercator(longitude: number, latitude: number): [number, number] {
  const clipped = Math.max(-STEEPEST, Math.min(STEEPEST, latitude));
  const y = 0.5 - Math.log(Math.tan(Math.PI / 4 + (clipped * RAD) / 2)) / (2 * Math.PI);
  return [longitude / 360 + 0.5, y];
}

export function fromMercator(x: number, y: number): LngLat {
  return [(x - 0.5) * 360, (Math.atan(Math.exp((0.5 - y) * 2 * Math.PI)) / RAD) * 2 - 90];
}

/** Great-circle distance (haversine), metres. */
export function distanceM(a: LngLat, b: LngLat): number {
  const dLat = (b[1] - a[1]) * RAD;
  const dLng = (b[0] - a[0]) * RAD;
  const h = Math.sin(dLat / 2) ** 2 + Math.cos(a[1] * RAD) * Math.cos(b[1] * RAD) * Math.sin(dLng / 2) ** 2;
  return 2 * EARTH_M * Math.asin(Math.min(1, Math.sqrt(h)));
}

/** Degrees clockwise from north, 0..360, at the start of the way from `a` to `b`. */
export function bearing(a: LngLat, b: LngLat): number {
  const dLng = (b[0] - a[0]) * RAD;
  const y = Math.sin(dLng) * Math.cos(b[1] * RAD);
  const x = Math.cos(a[1] * RAD) * Math.sin(b[1] * RAD) - Math.sin(a[1] * RAD) * Math.cos(b[1] * RAD) * Math.cos(dLng);
  return (Math.atan2(y, x) / RAD + 360) % 360;
}

/** Google's encoded polyline. What does not decode is left out, so that one broken route does not empty the map. */
export function decodePolyline(text: string, precision = 5): LngLat[] {
  const scale = 10 ** precision;
  const points: LngLat[] = [];
  let at = 0;
  let latitude = 0;
  let longitude = 0;
  const next = (): number | undefined => {
    let value = 0;
    let shift = 0;
    for (;;) {
      const code = text.charCodeAt(at++) - 63;
      if (!(code >= 0 && code < 64) || shift > 30) return undefined;
      value |= (code & 31) << shift;
      shift += 5;
      if (code < 32) return value & 1 ? ~(value >> 1) : value >> 1;
    }
  };
  while (at < text.length) {
    const dLat = next();
    const dLng = next();
    if (dLat === undefined || dLng === undefined) break;
    latitude += dLat;
    longitude += dLng;
    points.push([longitude / scale, latitude / scale]);
  }
  return points;
}

const STEPS = [30, 15, 10, 5, 2, 1, 0.5, 0.25, 0.1, 0.05, 0.025, 0.01, 0.005, 0.0025, 0.001];

export interface Graticule {
  step: number;
  meridians: number[];
  parallels: number[];
}

/** Round meridians and parallels in a box, about `wanted` of each. */
export function graticule(west: number, south: number, east: number, north: number, wanted = 5): Graticule {
  const span = Math.max(east - west, 1e-6);
  const step = STEPS.findLast((size) => span / size <= wanted * 2 && span / size >= 1) ?? STEPS.find((size) => span / size >= wanted) ?? 0.001;
  const ticks = (from: number, to: number): number[] => {
    const first = Math.ceil(from / step);
    const count = Math.min(60, Math.floor(to / step) - first + 1);
    return Array.from({ length: Math.max(0, count) }, (_, i) => Number(((first + i) * step).toFixed(6)));
  };
  return { step, meridians: ticks(west, east), parallels: ticks(Math.max(south, -STEEPEST), Math.min(north, STEEPEST)) };
}

/** `15.98° E`, with as many digits as the step has. */
export function degrees(value: number, step: number, axis: "lat" | "lng"): string {
  const digits = step >= 1 ? 0 : Math.min(4, Math.max(1, Math.ceil(-Math.log10(step) - 1e-9) + (String(step).includes("25") ? 1 : 0)));
  const side = axis === "lat" ? (value < 0 ? " S" : " N") : value < 0 ? " W" : " E";
  return `${Math.abs(value).toFixed(digits)}°${value === 0 ? "" : side}`;
}
