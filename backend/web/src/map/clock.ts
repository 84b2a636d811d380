/** The server's time, as the page last heard it: ages and estimates are told on its clock, which in a demo runs fast. */

export class ServerClock {
  #atS = Date.now() / 1000;
  #heardMs = performance.now();
  #speed = 1;

  set(nowS: number | undefined, speed = 1): void {
    this.#atS = nowS ?? Date.now() / 1000;
    this.#heardMs = performance.now();
    this.#speed = speed;
  }

  /** Unix seconds. */
  nowS(): number {
    return this.#atS + ((performance.now() - this.#heardMs) / 1000) * this.#speed;
  }
}
