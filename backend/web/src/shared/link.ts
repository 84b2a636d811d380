/**
 * A websocket that comes back by itself.
 *
 * It obeys the close codes, waits with jitter, and takes a socket that said nothing for 40 seconds for dead: a browser may not
 * notice for minutes that the other side is gone. A tab that slept looks at the clock when it wakes.
 */
import { afterClose } from "./reconnect.ts";

export type LinkState =
  | { kind: "connecting" }
  | { kind: "live" }
  /** `at` is the moment of the next attempt, on the clock of `Surroundings.now`. */
  | { kind: "waiting"; at: number }
  | { kind: "offline" }
  | { kind: "refused" }
  | { kind: "stopped"; code: number };

export interface Socket {
  onopen: (() => void) | null;
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: ((event: { code: number }) => void) | null;
  send(text: string): void;
  close(): void;
}

/** What the link needs of the world; tests bring their own. */
export interface Surroundings {
  open(): Socket;
  now(): number;
  later(run: () => void, ms: number): number;
  forget(timer: number): void;
  random(): number;
  online(): boolean;
}

export interface Listener {
  /** The socket is open: subscribe. */
  opened(send: (message: unknown) => void): void;
  /** One decoded message. */
  received(message: { type: string }): void;
  changed(state: LinkState): void;
}

const SILENT_MS = 40_000;
const LOOK_EVERY_MS = 5_000;
const OPENS_WITHIN_MS = 15_000;

export class Link {
  #state: LinkState = { kind: "connecting" };
  #socket: Socket | null = null;
  #attempt = 0;
  #heardAt = 0;
  #opened = false;
  #drainMs: number | undefined;
  #retry: number | undefined;
  #look: number | undefined;
  readonly #world: Surroundings;
  readonly #listener: Listener;

  constructor(world: Surroundings, listener: Listener) {
    this.#world = world;
    this.#listener = listener;
  }

  get state(): LinkState {
    return this.#state;
  }

  start(): void {
    this.#connect();
  }

  /** Leave for good. */
  stop(): void {
    this.#clear();
    this.#drop();
  }

  /** Come back at once instead of waiting: the network is back, or somebody pressed the button. */
  hurry(): void {
    if (this.#state.kind === "waiting" || this.#state.kind === "offline") this.#connect();
  }

  /** The network is gone, says the browser. An open socket is believed until it is silent. */
  lost(): void {
    if (this.#state.kind !== "waiting") return;
    this.#clear();
    this.#become({ kind: "offline" });
  }

  /** Look now whether the socket is still alive: after sleep, timers come late. */
  check(): void {
    if (this.#socket === null) {
      if (this.#state.kind === "waiting" && this.#world.now() >= this.#state.at) this.#connect();
      return;
    }
    const patience = this.#opened ? SILENT_MS : OPENS_WITHIN_MS;
    if (this.#world.now() - this.#heardAt >= patience) {
      this.#drop();
      this.#closed(1006);
    }
  }

  #connect(): void {
    this.#clear();
    this.#drop();
    this.#opened = false;
    this.#heardAt = this.#world.now();
    this.#become({ kind: "connecting" });
    let socket: Socket;
    try {
      socket = this.#world.open();
    } catch {
      this.#become({ kind: "refused" }); // a key that cannot even be written into a subprotocol
      return;
    }
    this.#socket = socket;
    socket.onopen = () => {
      this.#opened = true;
      this.#heardAt = this.#world.now();
      this.#listener.opened((message) => socket.send(JSON.stringify(message)));
    };
    socket.onmessage = (event) => this.#heard(event.data);
    socket.onclose = (event) => {
      this.#socket = null;
      this.#closed(event.code);
    };
    this.#watch();
  }

  #heard(data: unknown): void {
    this.#heardAt = this.#world.now();
    if (typeof data !== "string") return;
    let message: { type: string; retryInMs?: number };
    try {
      message = JSON.parse(data);
    } catch {
      return;
    }
    if (message.type === "drain") {
      this.#drainMs = message.retryInMs;
      return;
    }
    if (this.#state.kind !== "live") {
      // Open is not yet allowed in: a wrong key is told by a close code after the handshake.
      this.#attempt = 0;
      this.#become({ kind: "live" });
    }
    this.#listener.received(message);
  }

  #closed(code: number): void {
    this.#clear();
    const verdict = afterClose(code, this.#attempt, this.#world.random(), this.#drainMs);
    this.#drainMs = undefined;
    this.#attempt += 1;
    switch (verdict.kind) {
      case "refused":
        return this.#become({ kind: "refused" });
      case "stop":
        return this.#become({ kind: "stopped", code });
      case "retry":
        if (!this.#world.online()) return this.#become({ kind: "offline" });
        this.#retry = this.#world.later(() => this.#connect(), verdict.inMs);
        this.#become({ kind: "waiting", at: this.#world.now() + verdict.inMs });
    }
  }

  #watch(): void {
    this.#look = this.#world.later(() => {
      this.check();
      if (this.#socket !== null) this.#watch();
    }, LOOK_EVERY_MS);
  }

  #drop(): void {
    const socket = this.#socket;
    if (socket === null) return;
    this.#socket = null;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  #clear(): void {
    if (this.#retry !== undefined) this.#world.forget(this.#retry);
    if (this.#look !== undefined) this.#world.forget(this.#look);
    this.#retry = this.#look = undefined;
  }

  #become(state: LinkState): void {
    this.#state = state;
    this.#listener.changed(state);
  }
}

/** The browser as surroundings. `protocols` carry the key, so that it never stands in an address. */
export function browser(path: string, protocols: () => string[]): Surroundings {
  return {
    open: () => {
      const url = new URL(path, location.href);
      url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
      return new WebSocket(url, protocols()) as Socket;
    },
    now: () => Date.now(),
    later: (run, ms) => window.setTimeout(run, ms),
    forget: (timer) => window.clearTimeout(timer),
    random: Math.random,
    online: () => navigator.onLine,
  };
}

/** Tell `link` what the browser knows: network back, network gone, tab awake. */
export function follow(link: Link): void {
  window.addEventListener("online", () => link.hurry());
  window.addEventListener("offline", () => link.lost());
  window.addEventListener("pageshow", () => link.check());
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") link.check();
  });
}
