// What the machine says of an archive that it unpacked: lines of JSON about what did not come to its place, and the
// end. Pure.
import type { ActItem, UnpackEvent } from '../api/types';

export interface Unpacked {
  /** By the path they were meant for, in the text form of the API. */
  items: Map<string, ActItem>;
  /** True if whatever is not named is in its place. */
  whole: boolean;
  /** With this it can be undone. */
  undo?: string;
  /** Why it did not come to its end, where that was said. */
  error?: Extract<UnpackEvent, { event: 'broken' }>['error'];
}

export function readUnpacked(text: string): Unpacked {
  const read: Unpacked = { items: new Map(), whole: false };
  for (const line of text.split('\n')) {
    const event = parse(line);
    if (event?.event === 'item') read.items.set(event.from, event);
    else if (event?.event === 'done') [read.whole, read.undo] = [true, event.undo ?? undefined];
    else if (event?.event === 'broken') read.error = event.error;
  }
  return read;
}

/** An answer that broke off ends in the middle of a line. */
function parse(line: string): UnpackEvent | undefined {
  try {
    return line ? (JSON.parse(line) as UnpackEvent) : undefined;
  } catch {
    return undefined;
  }
}
