import assert from "node:assert/strict";
import { test } from "node:test";
import { age, clock, delay, isoDate, knownZone, metres, span } from "./time.ts";

test("a time is told in its zone, daylight saving included", () => {
  assert.equal(clock("2026-03-02T13:05:00Z", "Europe/Zagreb"), "14:05");
  assert.equal(clock("2026-07-02T22:30:00Z", "Europe/Zagreb"), "00:30");
  assert.equal(clock(undefined), "");
  assert.equal(clock("nonsense"), "");
});

test("the day is that of the zone and not of the browser", () => {
  assert.equal(isoDate(Date.parse("2026-03-02T23:30:00Z"), "Europe/Zagreb"), "2026-03-03");
  assert.equal(isoDate(Date.parse("2026-03-02T23:30:00Z"), "UTC"), "2026-03-02");
});

test("a zone that the browser does not know falls back to its own", () => {
  assert.equal(knownZone("Mars/Olympus"), undefined);
  assert.equal(knownZone("Europe/Zagreb"), "Europe/Zagreb");
});

test("spans read as people say them", () => {
  assert.deepEqual([3, 40, 300, 7200, 200_000].map(age), ["now", "40 s", "5 min", "2 h", "2 d"]);
  assert.deepEqual([60, 3599, 21_900].map(span), ["1 min", "1 h 00", "6 h 05"]);
  assert.deepEqual([30, 720, -300, 5400].map(delay), ["", "+12 min", "−5 min", "+1 h 30"]);
  assert.deepEqual([850, 41_200].map(metres), ["850 m", "41.2 km"]);
});
