// Where the visitor was in each step of history: kept for the tab, so that back, forward and reload return there.

export interface Whereabouts {
  scrollTop: number;
  cursor: number;
  selected: number[];
}

const KEY = 'lanthorn.whereabouts';
const MOST_STEPS = 100;
/** A selection longer than this is not worth keeping. */
const MOST_SELECTED = 2_000;

function read(): Map<string, Whereabouts> {
  try {
    return new Map(JSON.parse(sessionStorage.getItem(KEY) ?? '[]') as [string, Whereabouts][]);
  } catch {
    return new Map();
  }
}

const steps = read();

export function remember(step: string, place: Whereabouts): void {
  steps.delete(step);
  steps.set(step, place.selected.length > MOST_SELECTED ? { ...place, selected: [] } : place);
  for (const old of [...steps.keys()].slice(0, Math.max(0, steps.size - MOST_STEPS))) steps.delete(old);
}

export function recall(step: string): Whereabouts | undefined {
  return steps.get(step);
}

addEventListener('pagehide', () => sessionStorage.setItem(KEY, JSON.stringify([...steps])));
