// What is selected in a list, by place, and where the keyboard is. Knows nothing of files.

export class Selection {
  #chosen = $state.raw<ReadonlySet<number>>(new Set());
  /** Where the keyboard is; -1 before the first move. */
  cursor = $state(-1);
  /** True while taps select instead of opening (touch). */
  selecting = $state(false);
  /** Where a range begins. */
  #anchor = 0;

  get size(): number {
    return this.#chosen.size;
  }

  /** The chosen places, in order. */
  get indices(): number[] {
    return [...this.#chosen].sort((a, b) => a - b);
  }

  has(index: number): boolean {
    return this.#chosen.has(index);
  }

  clear(): void {
    this.#chosen = new Set();
    this.selecting = false;
  }

  /** Forgets everything, for another folder. */
  reset(): void {
    this.clear();
    this.cursor = -1;
    this.#anchor = 0;
  }

  /** Chooses this one alone. */
  only(index: number): void {
    this.#chosen = new Set([index]);
    this.cursor = index;
    this.#anchor = index;
  }

  /** Adds or takes away this one. */
  toggle(index: number): void {
    const chosen = new Set(this.#chosen);
    if (!chosen.delete(index)) chosen.add(index);
    this.#chosen = chosen;
    this.cursor = index;
    this.#anchor = index;
    if (chosen.size === 0) this.selecting = false;
  }

  /** Chooses all from where the range began to here. */
  extend(index: number): void {
    const from = Math.min(this.#anchor, index);
    this.#chosen = range(from, Math.max(this.#anchor, index) - from + 1);
    this.cursor = index;
  }

  all(count: number): void {
    this.#chosen = range(0, count);
  }

  /** Chooses these, as they were before the visitor went away. */
  restore(indices: readonly number[], cursor: number): void {
    this.#chosen = new Set(indices);
    this.cursor = cursor;
    this.#anchor = Math.max(0, cursor);
  }
}

function range(from: number, length: number): Set<number> {
  return new Set(Array.from({ length }, (_, i) => from + i));
}
