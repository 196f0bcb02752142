// The shortest way from one list of lines to another, where it is short (Eugene Myers, "An O(ND) difference algorithm"):
// its time grows with the number of differences and not with how often the same line comes again. Pure.
import type { Common } from './lines';

/** More differences than this are not looked for. */
const MOST = 1_000;
/** Nor is longer searched than so many steps: about a second. */
const MOST_STEPS = 100_000_000;

/** The lines that both have, or undefined where they differ in too much. */
export function fewDifferences(a: readonly string[], b: readonly string[]): Common[] | undefined {
  const [left, right] = numbered(a, b);
  /** For each number of differences, how far one gets on each diagonal. */
  const reached: Int32Array[] = [];
  let before = new Int32Array([0]);
  let steps = 0;
  for (let d = 0; d <= MOST && steps < MOST_STEPS; d += 1) {
    const now = new Int32Array(2 * d + 1);
    reached.push(now);
    for (let k = -d; k <= d; k += 2) {
      const start = enter(before, d, k);
      let x = start;
      while (x < left.length && x - k < right.length && left[x] === right[x - k]) x += 1;
      now[k + d] = x;
      steps += x - start + 1;
      if (x >= left.length && x - k >= right.length) return wayBack(reached, left.length, right.length);
    }
    before = now;
  }
  return undefined;
}

/** Equal lines as equal numbers, which are quicker to compare. */
function numbered(a: readonly string[], b: readonly string[]): [Int32Array, Int32Array] {
  const numbers = new Map<string, number>();
  const number = (line: string) => {
    const known = numbers.get(line) ?? numbers.size;
    if (known === numbers.size) numbers.set(line, known);
    return known;
  };
  return [Int32Array.from(a, number), Int32Array.from(b, number)];
}

/** Whether diagonal `k` is entered from the one above, by a line of the right list. */
const isFromAbove = (before: Int32Array, d: number, k: number) =>
  k === -d || (k !== d && (before[k + d - 2] ?? 0) < (before[k + d] ?? 0));

/** Where diagonal `k` is entered with `d` differences, given how far one got with one less. */
function enter(before: Int32Array, d: number, k: number): number {
  if (d === 0) return 0;
  return isFromAbove(before, d, k) ? (before[k + d] ?? 0) : (before[k + d - 2] ?? 0) + 1;
}

function wayBack(reached: Int32Array[], x: number, y: number): Common[] {
  const found: Common[] = [];
  for (let d = reached.length - 1; d >= 0; d -= 1) {
    const before = reached[d - 1] ?? new Int32Array([0]);
    const k = x - y;
    const start = enter(before, d, k);
    if (x > start) found.push({ at: start, to: start - k, length: x - start });
    if (d === 0) break;
    if (isFromAbove(before, d, k)) [x, y] = [start, start - k - 1];
    else [x, y] = [start - 1, start - k];
  }
  return found.reverse();
}
