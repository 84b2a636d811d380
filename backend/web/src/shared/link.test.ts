import assert from "node:assert/strict";
import { test } from "node:test";
import { Link, type LinkState, type Socket, type Surroundings } from "./link.ts";

class World implements Surroundings {
  clock = 0;
  sockets: FakeSocket[] = [];
  connected = true;
  #timers = new Map<number, { at: number; run: () => void }>();
  #last = 0;

  open(): Socket {
    const socket = new FakeSocket();
    this.sockets.push(socket);
    return socket;
  }
  now(): number {
    return this.clock;
  }
  later(run: () => void, ms: number): number {
    this.#timers.set(++this.#last, { at: this.clock + ms, run });
    return this.#last;
  }
  forget(timer: number): void {
    this.#timers.delete(timer);
  }
  random(): number {
    return 0.5;
  }
  online(): boolean {
    return this.connected;
  }
  get timers(): number {
    return this.#timers.size;
  }
  pass(ms: number): void {
    const until = this.clock + ms;
    for (;;) {
      const due = [...this.#timers].filter(([, timer]) => timer.at <= until).sort((a, b) => a[1].at - b[1].at)[0];
      if (due === undefined) break;
      this.#timers.delete(due[0]);
      this.clock = Math.max(this.clock, due[1].at);
      due[1].run();
    }
    this.clock = until;
  }
}

class FakeSocket implements Socket {
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: ((event: { code: number }) => void) | null = null;
  sent: string[] = [];
  closed = false;
  send(text: string): void {
    this.sent.push(text);
  }
  close(): void {
    this.closed = true;
  }
  say(message: unknown): void {
    this.onmessage?.({ data: JSON.stringify(message) });
  }
}

function setUp(): { world: World; link: Link; states: LinkState[]; heard: { type: string }[] } {
  const world = new World();
  const states: LinkState[] = [];
  const heard: { type: string }[] = [];
  const link = new Link(world, {
    opened: (send) => send({ type: "subscribe" }),
    received: (message) => heard.push(message),
    changed: (state) => states.push(state),
  });
  link.start();
  return { world, link, states, heard };
}

test("it subscribes when the socket opens and is live at the first message", () => {
  const { world, link, heard } = setUp();
  world.sockets[0]!.onopen!();
  assert.deepEqual(world.sockets[0]!.sent, ['{"type":"subscribe"}']);
  assert.equal(link.state.kind, "connecting");
  world.sockets[0]!.say({ type: "snapshot" });
  assert.equal(link.state.kind, "live");
  assert.deepEqual(heard, [{ type: "snapshot" }]);
});

test("it comes back after a restart, and waits longer while the server stays away", () => {
  const { world, link } = setUp();
  world.sockets[0]!.onopen!();
  world.sockets[0]!.say({ type: "snapshot" });
  world.sockets[0]!.onclose!({ code: 1012 });
  assert.equal(link.state.kind, "waiting");
  world.pass(5000);
  assert.equal(world.sockets.length, 2);
  world.sockets[1]!.onclose!({ code: 1006 });
  const first = link.state.kind === "waiting" ? link.state.at - world.clock : 0;
  world.pass(first);
  world.sockets[2]!.onclose!({ code: 1006 });
  const second = link.state.kind === "waiting" ? link.state.at - world.clock : 0;
  assert.ok(second > first);
});

test("it obeys the wait that the server asked for before it closed", () => {
  const { world, link } = setUp();
  world.sockets[0]!.onopen!();
  world.sockets[0]!.say({ type: "snapshot" });
  world.sockets[0]!.say({ type: "drain", retryInMs: 2000 });
  world.sockets[0]!.onclose!({ code: 1012 });
  assert.deepEqual(link.state, { kind: "waiting", at: 2500 });
});

test("a socket silent for forty seconds is taken for dead", () => {
  const { world, link } = setUp();
  world.sockets[0]!.onopen!();
  world.sockets[0]!.say({ type: "snapshot" });
  world.pass(30_000);
  world.sockets[0]!.say({ type: "alive" });
  world.pass(39_000);
  assert.equal(link.state.kind, "live");
  world.pass(6_000);
  assert.ok(world.sockets[0]!.closed);
  assert.notEqual(link.state.kind, "live");
});

test("a handshake that hangs is given up", () => {
  const { world } = setUp();
  world.pass(30_000);
  assert.ok(world.sockets[0]!.closed);
  assert.ok(world.sockets.length > 1);
});

test("a tab that slept looks at once when it wakes", () => {
  const { world, link } = setUp();
  world.sockets[0]!.onopen!();
  world.sockets[0]!.say({ type: "snapshot" });
  world.clock += 600_000; // asleep: no timer ran
  link.check();
  assert.ok(world.sockets[0]!.closed);
  assert.equal(link.state.kind, "waiting");
});

test("a late word of a socket that was given up changes nothing", () => {
  const { world, link, heard } = setUp();
  const old = world.sockets[0]!;
  old.onopen!();
  old.say({ type: "snapshot" });
  world.clock += 600_000;
  link.check();
  old.say({ type: "positions" });
  assert.equal(heard.length, 1);
});

test("offline waits for the network and then hurries", () => {
  const { world, link } = setUp();
  world.connected = false;
  world.sockets[0]!.onclose!({ code: 1006 });
  assert.equal(link.state.kind, "offline");
  world.pass(120_000);
  assert.equal(world.sockets.length, 1);
  world.connected = true;
  link.hurry();
  assert.equal(world.sockets.length, 2);
});

test("a refused key ends it and leaves no timer behind", () => {
  const { world, link } = setUp();
  world.sockets[0]!.onopen!();
  world.sockets[0]!.onclose!({ code: 4401 });
  assert.equal(link.state.kind, "refused");
  assert.equal(world.timers, 0);
});

test("a hundred reconnects leave one socket and one timer", () => {
  const { world } = setUp();
  for (let i = 0; i < 100; i++) {
    const socket = world.sockets.at(-1)!;
    socket.onopen?.();
    socket.say({ type: "snapshot" });
    socket.onclose!({ code: 1006 });
    world.pass(5000);
  }
  assert.equal(world.sockets.length, 101);
  assert.ok(world.timers <= 1);
});
