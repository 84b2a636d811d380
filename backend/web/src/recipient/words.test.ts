import assert from "node:assert/strict";
import { test } from "node:test";
import type { Tracking } from "../shared/wire.ts";
import { driverWords, statusWords } from "./words.ts";

const ORDER: Tracking = { status: "scheduled", orderNo: "1", timeZone: "Europe/Zagreb", now: "2026-03-02T09:00:00Z" };

test("a planned order tells its window in the zone of the order", () => {
  const words = statusWords({ ...ORDER, window: { from: "2026-03-02T09:10:00Z", to: "2026-03-02T09:40:00Z" }, eta: "2026-03-02T09:20:00Z" });
  assert.equal(words.detail, "Expected on Monday 2 March between 10:10 and 10:40.");
});

test("without a window the estimate is told, and without that a plain sentence", () => {
  assert.equal(statusWords({ ...ORDER, status: "on_route", eta: "2026-03-02T09:20:00Z" }).detail, "Arriving at about 10:20.");
  assert.equal(statusWords({ ...ORDER, status: "on_route" }).detail, "Your delivery is next.");
});

test("a finished order tells when", () => {
  const words = statusWords({ ...ORDER, status: "success", finishedAt: "2026-03-02T09:20:00Z" });
  assert.deepEqual(words, { headline: "Delivered", detail: "Delivered on Monday 2 March at 10:20.", step: 3 });
});

test("the driver is named only while on the way or there", () => {
  const driver = { firstName: "Ana", latitude: 45, longitude: 16 };
  assert.equal(driverWords({ ...ORDER, status: "on_route", driver, stopsBefore: 0 }), "Ana is driving to you now.");
  assert.equal(driverWords({ ...ORDER, status: "on_route", driver, stopsBefore: 2 }), "Ana has 2 stops before yours.");
  assert.equal(driverWords({ ...ORDER, status: "success", driver }), "");
  assert.equal(driverWords({ ...ORDER, driver }), "");
});

test("a status that is new to the page is no error", () => {
  assert.equal(statusWords({ ...ORDER, status: "teleported" as never }).headline, "We have your order");
});
