/**
 * Where each vehicle is drawn between two fixes.
 *
 * A fix is shown by gliding to it over about the time that passed since the one before, so that movement is even. Everything
 * lies in typed arrays: sampling 10,000 vehicles takes a fraction of a millisecond and makes no garbage. Pure: the caller brings the clock.
 */
import { toMercator } from "./geo.ts";

const SHORTEST_MS = 300;
const LONGEST_MS = 6_000;
/** Beyond this part of the world (about 25 km at the equator) a vehicle is set down instead of gliding through houses. */
const FARTHEST = 25 / 40_075;
/** About 3 m: less movement than this says nothing of the direction. */
const NOTICEABLE = 3 / 40_075_000;

export class Motion {
  /** Web Mercator positions as of the last sample, by slot. */
  x = new Float64Array(64);
  y = new Float64Array(64);
  /** Degrees clockwise from north as of the last sample; NaN where unknown. */
  heading = new Float32Array(64);
  readonly ids: string[] = [];
  #slots = new Map<string, number>();
  #fromX = new Float64Array(64);
  #fromY = new Float64Array(64);
  #toX = new Float64Array(64);
  #toY = new Float64Array(64);
  #fromHeading = new Float32Array(64);
  #toHeading = new Float32Array(64);
  #startMs = new Float64Array(64);
  #lastsMs = new Float64Array(64);
  #movesUntil = 0;

  get size(): number {
    return this.ids.length;
  }

  slot(id: string): number | undefined {
    return this.#slots.get(id);
  }

  /** A new fix of `id`: glide there, or stand there at once where `jump` is true, it is new, or it is far. */
  place(id: string, longitude: number, latitude: number, heading: number | undefined, nowMs: number, jump = false): void {
    const [x, y] = toMercator(longitude, latitude);
    let slot = this.#slots.get(id);
    if (slot === undefined) {
      slot = this.#add(id);
      this.#set(slot, x, y, heading ?? NaN, nowMs);
      return;
    }
    this.#sampleOne(slot, nowMs);
    const fromX = this.x[slot]!;
    const fromY = this.y[slot]!;
    // Around the world the short way: across the antimeridian, not across all continents.
    const dx = x - fromX - Math.round(x - fromX);
    const dy = y - fromY;
    const far = Math.hypot(dx, dy);
    const turned = heading ?? (far > NOTICEABLE ? ((Math.atan2(dx, -dy) * 180) / Math.PI + 360) % 360 : this.#toHeading[slot]!);
    if (jump || far > FARTHEST) {
      this.#set(slot, x, y, turned, nowMs);
      return;
    }
    const since = nowMs - this.#startMs[slot]!;
    this.#fromX[slot] = fromX;
    this.#fromY[slot] = fromY;
    this.#toX[slot] = fromX + dx;
    this.#toY[slot] = y;
    this.#fromHeading[slot] = this.heading[slot]!;
    this.#toHeading[slot] = turned;
    this.#startMs[slot] = nowMs;
    this.#lastsMs[slot] = Math.min(LONGEST_MS, Math.max(SHORTEST_MS, since * 1.1));
    this.#movesUntil = Math.max(this.#movesUntil, nowMs + this.#lastsMs[slot]!);
  }

  remove(id: string): void {
    const slot = this.#slots.get(id);
    if (slot === undefined) return;
    const last = this.ids.length - 1;
    if (slot !== last) {
      for (const array of this.#arrays()) array[slot] = array[last]!;
      this.ids[slot] = this.ids[last]!;
      this.#slots.set(this.ids[slot]!, slot);
    }
    this.ids.pop();
    this.#slots.delete(id);
  }

  /** Bring all positions to `nowMs`; answers whether anything still moves. */
  sample(nowMs: number): boolean {
    for (let slot = 0; slot < this.ids.length; slot++) this.#sampleOne(slot, nowMs);
    return nowMs < this.#movesUntil;
  }

  #sampleOne(slot: number, nowMs: number): void {
    const lasts = this.#lastsMs[slot]!;
    const part = lasts <= 0 ? 1 : Math.min(1, Math.max(0, (nowMs - this.#startMs[slot]!) / lasts));
    this.x[slot] = this.#fromX[slot]! + (this.#toX[slot]! - this.#fromX[slot]!) * part;
    this.y[slot] = this.#fromY[slot]! + (this.#toY[slot]! - this.#fromY[slot]!) * part;
    this.heading[slot] = turn(this.#fromHeading[slot]!, this.#toHeading[slot]!, Math.min(1, part * 3));
  }

  #set(slot: number, x: number, y: number, heading: number, nowMs: number): void {
    this.x[slot] = this.#fromX[slot] = this.#toX[slot] = x;
    this.y[slot] = this.#fromY[slot] = this.#toY[slot] = y;
    this.heading[slot] = this.#fromHeading[slot] = this.#toHeading[slot] = heading;
    this.#startMs[slot] = nowMs;
    this.#lastsMs[slot] = 0;
  }

  #add(id: string): number {
    const slot = this.ids.length;
    if (slot === this.x.length) this.#grow();
    this.ids.push(id);
    this.#slots.set(id, slot);
    return slot;
  }

  #arrays(): (Float64Array | Float32Array)[] {
    return [
      this.x, this.y, this.heading, this.#fromX, this.#fromY, this.#toX, this.#toY,
      this.#fromHeading, this.#toHeading, this.#startMs, this.#lastsMs,
    ];
  }

  #grow(): void {
    const larger = <T extends Float64Array | Float32Array>(array: T): T => {
      const made = new (array.constructor as new (length: number) => T)(array.length * 2);
      made.set(array as never);
      return made;
    };
    this.x = larger(this.x);
    this.y = larger(this.y);
    this.heading = larger(this.heading);
    this.#fromX = larger(this.#fromX);
    this.#fromY = larger(this.#fromY);
    this.#toX = larger(this.#toX);
    this.#toY = larger(this.#toY);
    this.#fromHeading = larger(this.#fromHeading);
    this.#toHeading = larger(this.#toHeading);
    this.#startMs = larger(this.#startMs);
    this.#lastsMs = larger(this.#lastsMs);
  }
}

/** Between two directions the short way round. */
export function turn(from: number, to: number, part: number): number {
  if (Number.isNaN(from) || Number.isNaN(to)) return to;
  const difference = ((((to - from) % 360) + 540) % 360) - 180;
  return (from + difference * part + 360) % 360;
}
