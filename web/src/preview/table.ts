// Tables from text: CSV and TSV as RFC 4180 writes them, read only as far as a screen can show.
// Pure; knows nothing of files, encodings or the page.

/** The most rows a preview shows. */
export const MAX_ROWS = 500;
/** The most columns a preview shows. */
export const MAX_COLUMNS = 80;
/** The most characters one cell shows: a cell that long is read in the source view. */
export const MAX_CELL = 2_000;

export type Table = {
  /** Rows of cells, all of the same width. The first is the header, where the file has one. */
  rows: string[][];
  /** True if rows, columns or characters were left out. */
  cut: boolean;
  delimiter: string;
};

const DELIMITERS = [',', ';', '\t', '|'];

/** The delimiter of a file: tab for `.tsv`, otherwise the one that splits the first lines most evenly. */
export function guessDelimiter(text: string, name: string): string {
  if (/\.(tsv|tab)$/i.test(name)) return '\t';
  let best = ',';
  let bestScore = 0;
  for (const delimiter of DELIMITERS) {
    const { rows } = readRows(text, delimiter, 10, 1_000);
    const widths = rows.filter((row) => row.length > 1 || row[0] !== '').map((row) => row.length);
    const width = Math.min(...widths);
    // Even rows count for more than wide ones: prose has many commas, but never the same number on each line.
    const score = width > 1 ? width * (widths.every((w) => w === width) ? 100 : 1) : 0;
    if (score > bestScore) [best, bestScore] = [delimiter, score];
  }
  return best;
}

/** The table in `text`, no larger than a preview shows. */
export function parseTable(text: string, name: string, maxRows = MAX_ROWS, maxColumns = MAX_COLUMNS): Table {
  const delimiter = guessDelimiter(text, name);
  const { rows, cut } = readRows(text, delimiter, maxRows, maxColumns);
  const width = rows.reduce((widest, row) => Math.max(widest, row.length), 0);
  for (const row of rows) while (row.length < width) row.push('');
  return { rows, cut, delimiter };
}

function readRows(
  text: string,
  delimiter: string,
  maxRows: number,
  maxColumns: number,
): { rows: string[][]; cut: boolean } {
  const rows: string[][] = [];
  let at = text.startsWith('\uFEFF') ? 1 : 0;
  let cut = false;
  while (at < text.length) {
    if (rows.length === maxRows) return { rows, cut: true };
    const row: string[] = [];
    for (;;) {
      const cell = readCell(text, at, delimiter);
      at = cell.end;
      if (row.length < maxColumns)
        row.push(cell.text.length > MAX_CELL ? cell.text.slice(0, MAX_CELL) + '…' : cell.text);
      cut ||= row.length === maxColumns && text[at] === delimiter;
      cut ||= cell.text.length > MAX_CELL;
      if (text[at] !== delimiter) break;
      at += 1;
    }
    if (text[at] === '\r') at += 1;
    if (text[at] === '\n') at += 1;
    rows.push(row);
  }
  return { rows, cut };
}

/** One cell from `at`; `end` is where its delimiter, line end or the end of the text stands. */
function readCell(text: string, at: number, delimiter: string): { text: string; end: number } {
  if (text[at] !== '"') return readPlain(text, at, delimiter);
  let content = '';
  let from = at + 1;
  for (;;) {
    const quote = text.indexOf('"', from);
    if (quote < 0) return { text: content + text.slice(from), end: text.length };
    content += text.slice(from, quote);
    if (text[quote + 1] !== '"') {
      // What follows a closing quote before the delimiter is malformed, and kept rather than lost.
      const rest = readPlain(text, quote + 1, delimiter);
      return { text: content + rest.text, end: rest.end };
    }
    content += '"';
    from = quote + 2;
  }
}

function readPlain(text: string, at: number, delimiter: string): { text: string; end: number } {
  let end = at;
  while (end < text.length && text[end] !== delimiter && text[end] !== '\n' && text[end] !== '\r') end += 1;
  return { text: text.slice(at, end), end };
}
