// Line endings of a text that has more than one kind of them. Pure.
import { commonLines } from './lines';

export type LineEnding = '\n' | '\r\n' | '\r';

interface Lines {
  lines: string[];
  /** How each line but the last ends. */
  endings: LineEnding[];
}

/**
 * The text, whose lines end with `\n`, with the endings that its lines had in `raw`. A line that was changed keeps its
 * own; one that is new ends like its neighbour above.
 */
export function keepEndings(text: string, raw: string, usual: LineEnding): string {
  const before = split(raw);
  const after = text.split('\n');
  const endings = new Array<LineEnding | undefined>(after.length);
  let from = { at: 0, to: 0 };
  const end = { at: before.lines.length, to: after.length, length: 0 };
  for (const { at, to, length } of [...commonLines(before.lines, after), end]) {
    const changed = Math.min(at - from.at, to - from.to);
    for (let i = 0; i < changed; i += 1) endings[from.to + i] = before.endings[from.at + i];
    for (let i = 0; i < length; i += 1) endings[to + i] = before.endings[at + i];
    from = { at: at + length, to: to + length };
  }
  return join(after, endings, usual);
}

function join(lines: string[], endings: (LineEnding | undefined)[], usual: LineEnding): string {
  let last = usual;
  let whole = '';
  for (const [i, line] of lines.entries()) {
    if (i === lines.length - 1) return whole + line;
    last = endings[i] ?? last;
    whole += line + last;
  }
  return whole;
}

function split(raw: string): Lines {
  const endings = [...raw.matchAll(/\r\n?|\n/g)].map(([ending]) => ending as LineEnding);
  return { lines: raw.split(/\r\n?|\n/), endings };
}
