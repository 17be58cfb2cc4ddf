// How fast something grows.

// Of the newest measure in the figure shown; the rest is the past, so that it does not jump.
const WEIGHT = 0.3;
// Looks closer together than this measure chance. Milliseconds.
const SHORTEST = 200;

export class Meter {
  /** Bytes a second, smoothed; 0 until there were two looks. */
  rate = 0;
  #time = null;
  #count = 0;

  /** Take in how many bytes there are now; a fall, as after a new attempt, starts over. */
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
