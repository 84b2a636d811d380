/** Times and spans in words. A time zone is an IANA name; undefined is the browser's own. */

const clocks = new Map<string, Intl.DateTimeFormat>();

function format(zone: string | undefined, kind: "clock" | "date" | "day"): Intl.DateTimeFormat {
  const key = `${kind} ${zone ?? ""}`;
  let made = clocks.get(key);
  if (made === undefined) {
    const fields: Intl.DateTimeFormatOptions =
      kind === "clock"
        ? { hour: "2-digit", minute: "2-digit", hourCycle: "h23" }
        : kind === "date"
          ? { year: "numeric", month: "2-digit", day: "2-digit" }
          : { weekday: "long", day: "numeric", month: "long" };
    made = new Intl.DateTimeFormat("en-GB", zone === undefined ? fields : { ...fields, timeZone: zone });
    clocks.set(key, made);
  }
  return made;
}

/** A zone that the browser knows, or undefined. */
export function knownZone(zone: string | undefined): string | undefined {
  if (!zone) return undefined;
  try {
    new Intl.DateTimeFormat("en-GB", { timeZone: zone });
    return zone;
  } catch {
    return undefined;
  }
}

/** `14:05`; empty where there is no time. */
export function clock(time: string | number | undefined, zone?: string): string {
  const ms = toMs(time);
  return ms === undefined ? "" : format(zone, "clock").format(ms);
}

/** `2026-03-02` of the moment in the zone. */
export function isoDate(ms: number, zone?: string): string {
  const parts = format(zone, "date").formatToParts(ms);
  const part = (type: string): string => parts.find((each) => each.type === type)?.value ?? "";
  return `${part("year")}-${part("month")}-${part("day")}`;
}

/** `Monday 2 March`. */
export function dayName(ms: number, zone?: string): string {
  return format(zone, "day").format(ms);
}

/** Milliseconds of an ISO string or of a number of milliseconds. */
export function toMs(time: string | number | undefined): number | undefined {
  if (time === undefined) return undefined;
  const ms = typeof time === "number" ? time : Date.parse(time);
  return Number.isFinite(ms) ? ms : undefined;
}

/** How old something is: `now`, `40 s`, `12 min`, `3 h`, `2 d`. */
export function age(seconds: number): string {
  if (seconds < 5) return "now";
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 90 * 60) return `${Math.round(seconds / 60)} min`;
  if (seconds < 36 * 3600) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} d`;
}

/** A span: `45 min`, `6 h 05`. */
export function span(seconds: number): string {
  const minutes = Math.round(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")}`;
}

/** `+12 min` late, `−5 min` early, empty within two minutes of the plan. */
export function delay(seconds: number): string {
  const minutes = Math.round(seconds / 60);
  if (Math.abs(minutes) < 2) return "";
  return `${minutes > 0 ? "+" : "−"}${span(Math.abs(minutes) * 60)}`;
}

/** `41.2 km`, `850 m`. */
export function metres(value: number): string {
  return value < 1000 ? `${Math.round(value)} m` : `${(value / 1000).toFixed(value < 100_000 ? 1 : 0)} km`;
}
