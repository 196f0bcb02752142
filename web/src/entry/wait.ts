// How long to wait, counted down, and in words. Knows nothing of why.
import type { Words } from '../text/en';

/** "2 hours", "1 minute 5 seconds": the two largest parts, rounded up. */
export function describeWait(seconds: number, { signIn }: Words): string {
  const whole = Math.max(0, Math.ceil(seconds));
  if (whole < 60) return signIn.seconds(whole);
  if (whole < 3_600) return join(signIn.minutes(Math.floor(whole / 60)), whole % 60, signIn.seconds);
  const minutes = Math.ceil(whole / 60);
  return join(signIn.hours(Math.floor(minutes / 60)), minutes % 60, signIn.minutes);
}

function join(first: string, count: number, rest: (count: number) => string): string {
  return count ? `${first} ${rest(count)}` : first;
}

/** Calls `tick` with the seconds left, now and each second, until none are. Returns how to stop. */
export function countDown(seconds: number, tick: (left: number) => void): () => void {
  // Measured against the clock: a tab in the background is woken rarely.
  const end = performance.now() + seconds * 1_000;
  const step = () => {
    const left = Math.max(0, Math.ceil((end - performance.now()) / 1_000));
    tick(left);
    if (left === 0) clearInterval(timer);
  };
  const timer = setInterval(step, 1_000);
  step();
  return () => clearInterval(timer);
}
