// What two texts have in common, line by line, also where they are long. Pure.
//
// The search of node-diff3 takes time with the square of what it is given, so it is given little: equal beginnings and
// ends are cut off, lines that each text has once divide what remains (Bram Cohen's "patience"), and only between these
// it searches. Where even that is much, the same few lines come again and again: see few-differences.ts.
import { diffIndices } from 'node-diff3';
import { fewDifferences } from './few-differences';

/** Lines that are equal in both. */
export interface Common {
  /** The first of them in the one text, from 0. */
  at: number;
  /** And in the other. */
  to: number;
  length: number;
}

/** A part of both texts: from here, up to there. */
interface Part {
  a: number;
  aEnd: number;
  b: number;
  bEnd: number;
}

/** With more pairs of lines than this the search of node-diff3 would freeze the page. */
const MOST_PAIRS = 4_000_000;

/** The runs of lines that `a` and `b` have in common, in order. */
export function commonLines(a: readonly string[], b: readonly string[]): Common[] {
  const found: Common[] = [];
  compare(a, b, { a: 0, aEnd: a.length, b: 0, bEnd: b.length }, found);
  return joined(found);
}

function compare(a: readonly string[], b: readonly string[], whole: Part, found: Common[]): void {
  const part = { ...whole };
  while (part.a < part.aEnd && part.b < part.bEnd && a[part.a] === b[part.b]) {
    part.a += 1;
    part.b += 1;
  }
  add(found, whole.a, whole.b, part.a - whole.a);
  while (part.aEnd > part.a && part.bEnd > part.b && a[part.aEnd - 1] === b[part.bEnd - 1]) {
    part.aEnd -= 1;
    part.bEnd -= 1;
  }
  if (part.a < part.aEnd && part.b < part.bEnd) divide(a, b, part, found);
  add(found, part.aEnd, part.bEnd, whole.aEnd - part.aEnd);
}

/** Compares between the lines that each part has once. */
function divide(a: readonly string[], b: readonly string[], part: Part, found: Common[]): void {
  const anchors = anchorsIn(a, b, part);
  if (anchors.length === 0) return search(a, b, part, found);
  let from = { a: part.a, b: part.b };
  for (const anchor of anchors) {
    compare(a, b, { a: from.a, aEnd: anchor.a, b: from.b, bEnd: anchor.b }, found);
    add(found, anchor.a, anchor.b, 1);
    from = { a: anchor.a + 1, b: anchor.b + 1 };
  }
  compare(a, b, { a: from.a, aEnd: part.aEnd, b: from.b, bEnd: part.bEnd }, found);
}

function search(a: readonly string[], b: readonly string[], part: Part, found: Common[]): void {
  const [left, right] = [a.slice(part.a, part.aEnd), b.slice(part.b, part.bEnd)];
  if (left.length * right.length > MOST_PAIRS) {
    for (const { at, to, length } of fewDifferences(left, right) ?? [])
      add(found, part.a + at, part.b + to, length);
    return;
  }
  let from = { a: 0, b: 0 };
  for (const { buffer1, buffer2 } of diffIndices(left, right)) {
    add(found, part.a + from.a, part.b + from.b, buffer1[0] - from.a);
    from = { a: buffer1[0] + buffer1[1], b: buffer2[0] + buffer2[1] };
  }
  add(found, part.a + from.a, part.b + from.b, left.length - from.a);
}

interface Anchor {
  a: number;
  b: number;
}

/** Lines that both parts have exactly once, as many as stand in the same order in both. */
function anchorsIn(a: readonly string[], b: readonly string[], part: Part): Anchor[] {
  const inB = onceIn(b, part.b, part.bEnd);
  const pairs: Anchor[] = [];
  for (const [line, at] of onceIn(a, part.a, part.aEnd)) {
    const to = at < 0 ? undefined : inB.get(line);
    if (to !== undefined && to >= 0) pairs.push({ a: at, b: to });
  }
  return longestRising(pairs);
}

/** Where each line is; -1 for one that is there more than once. */
function onceIn(lines: readonly string[], from: number, end: number): Map<string, number> {
  const places = new Map<string, number>();
  for (let i = from; i < end; i += 1) {
    const line = lines[i] as string;
    places.set(line, places.has(line) ? -1 : i);
  }
  return places;
}

/** The longest choice of pairs, given by rising `a`, whose `b` rises as well. */
function longestRising(pairs: Anchor[]): Anchor[] {
  /** For each length, the pair with the lowest `b` that ends a choice of it. */
  const ends: number[] = [];
  const before = new Array<number>(pairs.length);
  for (const [i, { b }] of pairs.entries()) {
    let low = 0;
    let high = ends.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((pairs[ends[middle] as number] as Anchor).b < b) low = middle + 1;
      else high = middle;
    }
    before[i] = low > 0 ? (ends[low - 1] as number) : -1;
    ends[low] = i;
  }
  const chosen: Anchor[] = [];
  for (let i = ends.at(-1) ?? -1; i >= 0; i = before[i] as number) chosen.push(pairs[i] as Anchor);
  return chosen.reverse();
}

function add(found: Common[], at: number, to: number, length: number): void {
  if (length > 0) found.push({ at, to, length });
}

/** The same with neighbours as one. */
function joined(found: Common[]): Common[] {
  const all: Common[] = [];
  for (const next of found) {
    const last = all.at(-1);
    if (last && last.at + last.length === next.at && last.to + last.length === next.to)
      last.length += next.length;
    else all.push({ ...next });
  }
  return all;
}
