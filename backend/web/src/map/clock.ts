/** The server's time, as the page last heard it: ages and estimates are told on its clock, which in a demo runs fast. */

const STALE_S = 120;
/** Real seconds between a fix and its being shown, at most, as long as all is well. */
const ON_THE_WAY_S = 4;

export class ServerClock {
  #atS = Date.now() / 1000;
  #heardMs = performance.now();
  #speed = 1;

  set(nowS: number | undefined, speed = 1): void {
    this.#atS = nowS ?? Date.now() / 1000;
    this.#heardMs = performance.now();
    this.#speed = speed;
  }

  /** Seconds after which a position is old: where the clock runs fast, what is on its way meanwhile ages fast too. */
  staleAfterS(): number {
    return STALE_S + ON_THE_WAY_S * (this.#speed - 1);
  }

  /** Unix seconds. */
  nowS(): number {
    return this.#atS + ((performance.now() - this.#heardMs) / 1000) * this.#speed;
  }
}
