import assert from "node:assert/strict";
import { test } from "node:test";
import { afterClose } from "./reconnect.ts";

test("a key that is not good is not tried again", () => {
  for (const code of [4401, 4403, 4409]) assert.deepEqual(afterClose(code, 0, 0.5), { kind: "refused" });
});

test("what would get the same answer is not asked again", () => {
  for (const code of [4400, 4404]) assert.deepEqual(afterClose(code, 0, 0.5), { kind: "stop" });
});

test("a server that restarts is tried again after one to five seconds, or when it said", () => {
  for (const random of [0, 0.5, 0.999]) {
    const verdict = afterClose(1012, 0, random);
    assert.ok(verdict.kind === "retry" && verdict.inMs >= 1000 && verdict.inMs <= 5000);
    const told = afterClose(1012, 0, random, 3000);
    assert.ok(told.kind === "retry" && told.inMs >= 3000 && told.inMs <= 4000);
  }
});

test("a page that was too slow comes back soon, one that was too many comes back late", () => {
  const slow = afterClose(4408, 3, 1);
  assert.ok(slow.kind === "retry" && slow.inMs <= 1000);
  const many = afterClose(4429, 0, 0);
  assert.ok(many.kind === "retry" && many.inMs >= 15_000);
});

test("broken connections wait longer each time, up to half a minute, and never all at once", () => {
  let before = 0;
  for (let attempt = 0; attempt < 12; attempt++) {
    const least = afterClose(1006, attempt, 0);
    const most = afterClose(1006, attempt, 1);
    assert.ok(least.kind === "retry" && most.kind === "retry");
    assert.ok(most.inMs > least.inMs && most.inMs <= 30_000 && most.inMs >= before);
    before = most.inMs;
  }
  assert.equal(before, 30_000);
});
