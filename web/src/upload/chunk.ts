// How much is sent in one request, so that each takes a second or two: little is lost when the line breaks, and a
// fast line is not slowed down by asking too often. Pure.

const MIB = 1024 * 1024;
export const FIRST = 4 * MIB;
export const LEAST = MIB / 4;
export const MOST = 64 * MIB;
/** What one request should take. */
const AIM_MS = 1_500;
/** It grows and shrinks by no more than this at a time: one slow answer says little. */
const STEP = 2;

/** The size of the next request, from what the last one carried and took. */
export function nextChunk(size: number, bytes: number, ms: number): number {
  // The last piece of a file is short: that it was quick does not mean that a long one would be.
  if (bytes < size && ms < AIM_MS) return size;
  const ideal = (bytes / Math.max(1, ms)) * AIM_MS;
  const near = Math.min(size * STEP, Math.max(size / STEP, ideal));
  const whole = near >= MIB ? Math.round(near / MIB) * MIB : Math.round(near);
  return Math.min(MOST, Math.max(LEAST, whole));
}

/** After a request that broke off. */
export const smallerChunk = (size: number) => Math.max(LEAST, size / STEP);
