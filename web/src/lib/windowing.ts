// Which lines of a long list are drawn. Pure arithmetic over heights: a line is a row of the list or of the grid.

export interface View {
  /** Entries in all. */
  count: number;
  /** Entries side by side. */
  columns: number;
  lineHeight: number;
  /** Height of the visible part. */
  viewHeight: number;
  scrollTop: number;
}

export interface Window {
  /** The first entry drawn. */
  first: number;
  /** One after the last. */
  end: number;
  /** Where the drawn part begins, from the top of the list. */
  offset: number;
  /** Height of the whole list as the scrollbar sees it. */
  height: number;
}

/** Lines drawn beyond either edge, so that a quick flick shows no gap. */
const OVERSCAN = 6;
/** Browsers silently cut elements that are higher than this (Firefox at 17.8 million pixels). */
export const MAX_HEIGHT = 15_000_000;

export function windowOf(view: View): Window {
  const lines = Math.ceil(view.count / view.columns);
  const full = lines * view.lineHeight;
  const height = Math.min(full, MAX_HEIGHT);
  const top = trueTop(view, full, height);
  const firstLine = Math.max(0, Math.floor(top / view.lineHeight) - OVERSCAN);
  const endLine = Math.min(lines, Math.ceil((top + view.viewHeight) / view.lineHeight) + OVERSCAN);
  return {
    first: Math.min(view.count, firstLine * view.columns),
    end: Math.min(view.count, Math.max(firstLine, endLine) * view.columns),
    offset: view.scrollTop - top + firstLine * view.lineHeight,
    height,
  };
}

/** The most entries that a window of this size ever draws. */
export function mostDrawn({ columns, lineHeight, viewHeight }: View): number {
  return (Math.ceil(viewHeight / lineHeight) + 1 + 2 * OVERSCAN) * columns;
}

/** How far down the visible part is in a list too high for the browser, of which the scrollbar shows a model. */
function trueTop({ scrollTop, viewHeight }: View, full: number, height: number): number {
  if (full <= height) return Math.max(0, Math.min(scrollTop, full - viewHeight));
  return (scrollTop / Math.max(1, height - viewHeight)) * (full - viewHeight);
}

/** Where to scroll so that an entry is wholly seen, moving as little as possible. */
export function scrollTopFor(index: number, view: View): number {
  const full = Math.ceil(view.count / view.columns) * view.lineHeight;
  const height = Math.min(full, MAX_HEIGHT);
  const top = trueTop(view, full, height);
  const lineTop = Math.floor(index / view.columns) * view.lineHeight;
  const lineEnd = lineTop + view.lineHeight;
  if (lineTop >= top && lineEnd <= top + view.viewHeight) return view.scrollTop;
  const wanted = lineTop < top ? lineTop : lineEnd - view.viewHeight;
  if (full <= height) return Math.max(0, wanted);
  return (wanted / (full - view.viewHeight)) * (height - view.viewHeight);
}
