// Keeps the session open while a film or music plays: one long answer is no use that the machine could count.
// Asks only when the time of the media has moved, so that what is paused or forgotten lets the session end.

const LONGEST_MS = 4 * 60_000;

interface Ways {
  /** Asks the machine who is signed in, which counts as use. */
  ask: () => Promise<unknown>;
  /** Seconds of no use after which the session ends. */
  idleSeconds: () => number | undefined;
  now?: () => number;
}

/** Listens to the media until the function it hands back is called. */
export function keepAlive(media: EventTarget, { ask, idleSeconds, now = Date.now }: Ways): () => void {
  let asked = now();

  function moved(): void {
    const pause = Math.min(LONGEST_MS, ((idleSeconds() ?? Infinity) * 1_000) / 3);
    if (now() - asked < pause) return;
    asked = now();
    ask().catch(() => undefined);
  }

  // A refusal may be the end of the session: the answer to this question leads to sign-in.
  function broke(): void {
    ask().catch(() => undefined);
  }

  media.addEventListener('timeupdate', moved);
  media.addEventListener('error', broke);
  return () => {
    media.removeEventListener('timeupdate', moved);
    media.removeEventListener('error', broke);
  };
}
