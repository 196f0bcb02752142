// How fast something goes, from what was told in the last seconds. Pure: the present moment is handed in.

/** Long enough not to flicker, short enough to be about now. */
const WINDOW_MS = 6_000;
/** From less than this nobody can tell. */
const SHORTEST_MS = 800;
/** Nearer together, two samples are one. */
const LEAST_MS = 200;

export class Rate {
  #samples: { at: number; bytes: number }[] = [];

  /** Says how much there is by now. */
  add(bytes: number, now: number): void {
    const last = this.#samples.at(-1);
    if (last && now - last.at < LEAST_MS) return;
    this.#samples.push({ at: now, bytes });
    while (this.#samples.length > 2 && now - (this.#samples[0]?.at ?? now) > WINDOW_MS) this.#samples.shift();
  }

  /** Bytes a second; 0 while nobody can tell. */
  get perSecond(): number {
    const [first] = this.#samples;
    const last = this.#samples.at(-1);
    if (!first || !last || last.at - first.at < SHORTEST_MS) return 0;
    return Math.max(0, ((last.bytes - first.bytes) / (last.at - first.at)) * 1_000);
  }

  /** Forgets: what comes next has nothing to do with what was before. */
  reset(): void {
    this.#samples = [];
  }
}

/** In how many seconds so many bytes have gone; undefined while nobody can tell. */
export function secondsLeft(bytes: number, perSecond: number): number | undefined {
  return perSecond > 0 ? Math.ceil(bytes / perSecond) : undefined;
}
