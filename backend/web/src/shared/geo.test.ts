import assert from "node:assert/strict";
import { test } from "node:test";
import { bearing, decodePolyline, degrees, distanceM, fromMercator, graticule, toMercator } from "./geo.ts";

test("the polyline of Google's own example decodes", () => {
  assert.deepEqual(decodePolyline("_p~iF~ps|U_ulLnnqC_mqNvxq`@"), [[-120.2, 38.5], [-120.95, 40.7], [-126.453, 43.252]]);
});

test("a broken polyline gives the points before the break", () => {
  assert.deepEqual(decodePolyline("_p~iF~ps|U_ulL"), [[-120.2, 38.5]]);
  assert.deepEqual(decodePolyline("\u0000\u0001"), []);
  assert.deepEqual(decodePolyline("~".repeat(1000)), []);
});

test("Mercator there and back is the same place", () => {
  for (const place of [[16, 45.8], [-179.9, -84], [0, 0], [180, 85]] as [number, number][]) {
    const back = fromMercator(...toMercator(...place));
    assert.ok(Math.abs(back[0] - place[0]) < 1e-9 && Math.abs(back[1] - place[1]) < 1e-9, String(back));
  }
});

test("a pole is clipped and not infinite", () => {
  assert.ok(Number.isFinite(toMercator(0, 90)[1]));
});

test("distance and bearing are those of the sphere", () => {
  assert.ok(Math.abs(distanceM([0, 0], [0, 1]) - 111_195) < 5);
  assert.ok(Math.abs(bearing([0, 0], [1, 0]) - 90) < 1e-6);
  assert.ok(Math.abs(bearing([0, 1], [0, 0]) - 180) < 1e-6);
});

test("a graticule has a few round lines at any zoom", () => {
  for (const width of [0.01, 0.1, 0.5, 3, 40, 360]) {
    const { meridians, step } = graticule(16, 45, 16 + width, 46, 5);
    assert.ok(meridians.length >= 1 && meridians.length <= 14, `${width}: ${meridians.length}`);
    for (const at of meridians) assert.ok(Math.abs(at / step - Math.round(at / step)) < 1e-6);
  }
});

test("degrees carry as many digits as their step", () => {
  assert.equal(degrees(15.95, 0.05, "lng"), "15.95° E");
  assert.equal(degrees(-45, 5, "lat"), "45° S");
  assert.equal(degrees(0, 5, "lat"), "0°");
  assert.equal(degrees(10.025, 0.025, "lng"), "10.025° E");
});
