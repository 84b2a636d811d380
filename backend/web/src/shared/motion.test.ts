import assert from "node:assert/strict";
import { test } from "node:test";
import { fromMercator } from "./geo.ts";
import { Motion, turn } from "./motion.ts";

function at(motion: Motion, id: string): [number, number] {
  const slot = motion.slot(id)!;
  return fromMercator(motion.x[slot]!, motion.y[slot]!);
}

test("a vehicle glides from fix to fix without a leap", () => {
  const motion = new Motion();
  motion.place("a", 16, 45.8, undefined, 0);
  motion.place("a", 16.001, 45.8, undefined, 1000);
  let before = 16;
  for (let ms = 1000; ms <= 2200; ms += 100) {
    motion.sample(ms);
    const [longitude] = at(motion, "a");
    assert.ok(longitude >= before - 1e-12 && longitude - before < 0.0002);
    before = longitude;
  }
  assert.ok(Math.abs(before - 16.001) < 1e-9);
});

test("a fix that comes in the middle of a glide is taken from where the vehicle is", () => {
  const motion = new Motion();
  motion.place("a", 16, 45.8, undefined, 0);
  motion.place("a", 16.001, 45.8, undefined, 1000);
  motion.sample(1500);
  const [middle] = at(motion, "a");
  motion.place("a", 16.002, 45.8, undefined, 1500);
  motion.sample(1500);
  assert.ok(Math.abs(at(motion, "a")[0] - middle) < 1e-9);
});

test("a far fix sets the vehicle down at once", () => {
  const motion = new Motion();
  motion.place("a", 16, 45.8, undefined, 0);
  motion.place("a", 18, 45.8, undefined, 1000);
  motion.sample(1000);
  assert.ok(Math.abs(at(motion, "a")[0] - 18) < 1e-9);
});

test("without a heading the way driven is the direction, and standing still keeps it", () => {
  const motion = new Motion();
  motion.place("a", 16, 45.8, undefined, 0);
  motion.place("a", 16.001, 45.8, undefined, 1000);
  motion.sample(5000);
  assert.ok(Math.abs(motion.heading[0]! - 90) < 0.01);
  motion.place("a", 16.001, 45.8, undefined, 6000);
  motion.sample(9000);
  assert.ok(Math.abs(motion.heading[0]! - 90) < 0.01);
});

test("it crosses the antimeridian the short way", () => {
  const motion = new Motion();
  motion.place("a", 179.999, 0, undefined, 0);
  motion.place("a", -179.999, 0, undefined, 1000);
  motion.sample(1500);
  assert.ok(motion.x[0]! > 0.9999 && motion.x[0]! < 1.0001);
});

test("directions turn the short way round", () => {
  assert.equal(turn(350, 10, 0.5), 0);
  assert.equal(turn(10, 350, 0.5), 0);
  assert.ok(Number.isNaN(turn(10, NaN, 0.5)));
  assert.equal(turn(NaN, 90, 0), 90);
});

test("removing one vehicle leaves the others where they are", () => {
  const motion = new Motion();
  for (let i = 0; i < 200; i++) motion.place(`d${i}`, i / 100, 45, 0, 0);
  motion.remove("d0");
  motion.remove("d57");
  motion.remove("nobody");
  assert.equal(motion.size, 198);
  motion.sample(10);
  for (let i = 1; i < 200; i++) if (i !== 57) assert.ok(Math.abs(at(motion, `d${i}`)[0] - i / 100) < 1e-9);
});

test("nothing moves any more when all glides are over", () => {
  const motion = new Motion();
  motion.place("a", 16, 45.8, undefined, 0);
  assert.equal(motion.sample(0), false);
  motion.place("a", 16.001, 45.8, undefined, 1000);
  assert.equal(motion.sample(1100), true);
  assert.equal(motion.sample(20_000), false);
});
