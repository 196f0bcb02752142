// Whether the list flies by: pictures that would be gone before they came are not asked for.

/** A list at rest this long is looked at. */
const REST_MS = 120;

class Pace {
  fast = $state(false);
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Takes note of a move of this many screens within one frame. */
  moved(screens: number): void {
    if (screens > 0.5) this.fast = true;
    if (!this.fast) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => (this.fast = false), REST_MS);
  }
}

export const pace = new Pace();
