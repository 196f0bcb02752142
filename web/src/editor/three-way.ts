// Two texts that were made from the same one, joined: what only one of them changed is taken as it is, what both changed
// is for somebody to choose. Pure; the page shows it and hands back the choices.
import { commonLines, type Common } from './lines';

/** Which text a place of the result is taken from. `both` is mine, then theirs. */
export type Choice = 'mine' | 'theirs' | 'both' | 'before';

/** A place where the texts differ. */
export interface Hunk {
  /** The line of each text, from 0, where it begins. */
  at: { before: number; mine: number; theirs: number };
  before: string[];
  mine: string[];
  theirs: string[];
  /** Who changed it. Where both did the same it is `both` as well, and there is nothing to choose. */
  changed: 'mine' | 'theirs' | 'both';
}

/** The result so far: lines that stay, and places to choose. */
export type Piece = { kept: string[] } | { hunk: Hunk };

/** A hunk's place in the result, in characters. */
export interface Span {
  from: number;
  to: number;
}

/** The pieces of the merge. Without a base all that differs is for somebody to choose. */
export function mergeTexts(base: string | undefined, mine: string, theirs: string): Piece[] {
  const [m, t] = [mine.split('\n'), theirs.split('\n')];
  if (base === undefined) return mergeTwo(m, t);
  const b = base.split('\n');
  return assemble(b, m, t, changesOf(b, m), changesOf(b, t));
}

/** A run of lines of the base that one side replaced. */
interface Change {
  from: number;
  to: number;
  /** How much further on the side's lines stand, after it. */
  shift: number;
}

/** What is between the lines in common. */
function changesOf(base: readonly string[], side: readonly string[]): Change[] {
  const changes: Change[] = [];
  const end: Common = { at: base.length, to: side.length, length: 0 };
  let from = { base: 0, side: 0 };
  for (const { at, to, length } of [...commonLines(base, side), end]) {
    if (at > from.base || to > from.side) changes.push({ from: from.base, to: at, shift: to - at });
    from = { base: at + length, side: to + length };
  }
  return changes;
}

function assemble(b: string[], m: string[], t: string[], byMe: Change[], byThem: Change[]): Piece[] {
  const pieces: Piece[] = [];
  let [done, i, j] = [0, 0, 0];
  /** How far the lines of each side stand from those of the base here. */
  let shift = { mine: 0, theirs: 0 };
  const keep = (until: number) => {
    if (until > done) pieces.push({ kept: b.slice(done, until) });
  };
  while (i < byMe.length || j < byThem.length) {
    const first = Math.min(byMe[i]?.from ?? Infinity, byThem[j]?.from ?? Infinity);
    let end = first;
    const before = shift;
    const [fromI, fromJ] = [i, j];
    // Changes that touch one another are one place: which comes first nobody could say.
    for (;;) {
      const [mine, theirs] = [byMe[i], byThem[j]];
      if (mine && mine.from <= end) {
        end = Math.max(end, mine.to);
        shift = { ...shift, mine: mine.shift };
        i += 1;
      } else if (theirs && theirs.from <= end) {
        end = Math.max(end, theirs.to);
        shift = { ...shift, theirs: theirs.shift };
        j += 1;
      } else break;
    }
    keep(first);
    const at = { before: first, mine: first + before.mine, theirs: first + before.theirs };
    const hunk = {
      at,
      before: b.slice(first, end),
      mine: m.slice(at.mine, end + shift.mine),
      theirs: t.slice(at.theirs, end + shift.theirs),
    };
    pieces.push({ hunk: { ...hunk, changed: whoChanged(i > fromI, j > fromJ) } });
    done = end;
  }
  keep(b.length);
  return pieces;
}

const whoChanged = (me: boolean, them: boolean) => (me && them ? 'both' : me ? 'mine' : 'theirs');

function mergeTwo(mine: string[], theirs: string[]): Piece[] {
  const pieces = assemble(mine, mine, theirs, [], changesOf(mine, theirs));
  return pieces.map((piece) =>
    'kept' in piece ? piece : { hunk: { ...piece.hunk, before: [], changed: 'both' } },
  );
}

export const hunksOf = (pieces: Piece[]): Hunk[] =>
  pieces.flatMap((piece) => ('hunk' in piece ? [piece.hunk] : []));

const same = (a: string[], b: string[]) => a.length === b.length && a.every((line, i) => line === b[i]);

/** True where somebody has to choose. */
export const isOpen = (hunk: Hunk): boolean => hunk.changed === 'both' && !same(hunk.mine, hunk.theirs);

/** What is taken where nobody has chosen: the side that changed something; mine for the time being where both did. */
export const firstChoice = (hunk: Hunk): Choice => (hunk.changed === 'theirs' ? 'theirs' : 'mine');

export function linesOf(hunk: Hunk, choice: Choice): string[] {
  return choice === 'both' ? [...hunk.mine, ...hunk.theirs] : hunk[choice];
}

/** The result with these choices, one for each hunk, and where each hunk is in it. */
export function compose(pieces: Piece[], choices: Choice[]): { text: string; spans: Span[] } {
  const lines: string[] = [];
  const ranges: { first: number; end: number }[] = [];
  for (const piece of pieces) {
    const first = lines.length;
    const choice = choices[ranges.length] ?? 'mine';
    for (const line of 'kept' in piece ? piece.kept : linesOf(piece.hunk, choice)) lines.push(line);
    if ('hunk' in piece) ranges.push({ first, end: lines.length });
  }
  const starts: number[] = [];
  let length = 0;
  for (const line of lines) {
    starts.push(length);
    length += line.length + 1;
  }
  const text = lines.join('\n');
  const edges = edgesOf(pieces);
  const spans = ranges.map(({ first, end }, i) => spanOf(first, end, starts, text.length, edges(i)));
  return { text, spans };
}

/** Whether a hunk is at the beginning or the end of the text, whatever is chosen. */
interface Edges {
  first: boolean;
  last: boolean;
}

function edgesOf(pieces: Piece[]): (hunk: number) => Edges {
  const isHunk = (piece: Piece | undefined) => piece !== undefined && 'hunk' in piece;
  const last = hunksOf(pieces).length - 1;
  return (hunk) => ({
    first: hunk === 0 && isHunk(pieces[0]),
    last: hunk === last && isHunk(pieces.at(-1)),
  });
}

/**
 * A hunk's characters: its lines with their ends. At the end of the text no line has an end, so there the end of the
 * line before belongs to it.
 */
function spanOf(first: number, end: number, starts: number[], length: number, edges: Edges): Span {
  const start = (line: number) => starts[line] ?? length;
  if (!edges.last) return { from: start(first), to: start(end) };
  return {
    from: edges.first ? 0 : Math.max(0, first < starts.length ? start(first) - 1 : length),
    to: length,
  };
}

/** What stands in a hunk's span for a choice. */
export function spanText(pieces: Piece[], hunk: number, choice: Choice): string {
  const one = hunksOf(pieces)[hunk];
  if (!one) return '';
  const { first, last } = edgesOf(pieces)(hunk);
  const lines = linesOf(one, choice);
  if (!last) return lines.map((line) => `${line}\n`).join('');
  return (first || lines.length === 0 ? '' : '\n') + lines.join('\n');
}
