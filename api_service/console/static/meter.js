// The rate at which a number grows.

// The weight of the newest sample; the rest is the former rate, so that the figure does not jump.
const WEIGHT = 0.3;
// Samples closer together than this are noise. Milliseconds.
const SHORTEST = 200;

export class Meter {
  /** Bytes per second, smoothed; 0 until there are two samples. */
  rate = 0;
  #time = null;
  #count = 0;

  /** Add a sample; a lower number, as after a new attempt, starts over. */
  look(count, now = performance.now()) {
    if (this.#time === null || count < this.#count) {
      this.rate = 0;
    } else {
      const passed = now - this.#time;
      if (passed < SHORTEST) return;
      const newest = ((count - this.#count) / passed) * 1000;
      this.rate = this.rate === 0 ? newest : WEIGHT * newest + (1 - WEIGHT) * this.rate;
    }
    this.#time = now;
    this.#count = count;
  }
}
