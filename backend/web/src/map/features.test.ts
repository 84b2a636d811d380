import assert from "node:assert/strict";
import { test } from "node:test";
import type { Route } from "../shared/wire.ts";
import { driven, pathOf } from "./features.ts";

const STOPS: Route = {
  id: "r", date: "2026-03-02", driverId: "a", driverName: "Ana", sent: true, version: 1,
  start: { longitude: 16, latitude: 45 },
  stops: [
    { stopNumber: 1, type: "order", orderId: "1", longitude: 16.01, latitude: 45, status: "success" },
    { stopNumber: 2, type: "break" },
    { stopNumber: 3, type: "order", orderId: "3", longitude: 16.02, latitude: 45, status: "scheduled" },
  ],
  end: { longitude: 16, latitude: 45 },
};

test("a route without a polyline goes straight from stop to stop", () => {
  assert.deepEqual(pathOf(STOPS), [[16, 45], [16.01, 45], [16.02, 45], [16, 45]]);
});

test("the driven part ends at the last finished stop", () => {
  const parts = driven(STOPS).features.map((feature) => (feature.geometry as GeoJSON.LineString).coordinates);
  assert.deepEqual(parts, [[[16, 45], [16.01, 45]], [[16.01, 45], [16.02, 45], [16, 45]]]);
});

test("nothing is driven before the first stop is finished", () => {
  const fresh = { ...STOPS, stops: STOPS.stops.map((stop) => ({ ...stop, status: "scheduled" as const })) };
  assert.deepEqual(driven(fresh).features.map((feature) => feature.properties!["driven"]), [false]);
});
