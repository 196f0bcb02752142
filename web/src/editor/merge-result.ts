// The result of a merge in an editor: where each place is in it, however it is typed around, and how it is marked.
import { StateEffect, StateField, type EditorState, type Extension, type Range } from '@codemirror/state';
import { Decoration, EditorView, type DecorationSet } from '@codemirror/view';
import { spanText, type Choice, type Piece, type Span } from './three-way';

/** Which place is looked at, and for which somebody still has to choose. */
export interface Marks {
  current: number;
  open: ReadonlySet<number>;
}

/** Marks the places anew. */
export const mark = StateEffect.define<Marks>();

interface Places {
  spans: readonly Span[];
  marks: Marks;
}

const places = StateField.define<Places>({
  create: () => ({ spans: [], marks: { current: -1, open: new Set() } }),
  update(value, transaction) {
    let { spans, marks } = value;
    const { changes, effects, docChanged } = transaction;
    if (docChanged) {
      // What is put where a place begins or ends belongs to it: it may be all that it consists of.
      spans = spans.map(({ from, to }) => ({ from: changes.mapPos(from, -1), to: changes.mapPos(to, 1) }));
    }
    for (const effect of effects) if (effect.is(mark)) marks = effect.value;
    return spans === value.spans && marks === value.marks ? value : { spans, marks };
  },
  provide: () => EditorView.decorations.of(decorate),
});

/** The places of a result that was composed so. */
export const withPlaces = (spans: Span[], marks: Marks): Extension => places.init(() => ({ spans, marks }));

export const spansOf = (state: EditorState): readonly Span[] => state.field(places).spans;

export const spanAt = (state: EditorState, hunk: number): Span | undefined => spansOf(state)[hunk];

/** The place that the cursor is in; -1 if it is in none. */
export function placeAt(state: EditorState, position: number): number {
  return state.field(places).spans.findIndex(({ from, to }) => position >= from && position <= to);
}

/** What a place consists of: one of the choices, or what somebody wrote. */
export function choiceIn(state: EditorState, pieces: Piece[], hunk: number): Choice | 'edited' {
  const span = spanAt(state, hunk);
  if (!span) return 'edited';
  const text = state.sliceDoc(span.from, span.to);
  const choices: Choice[] = ['mine', 'theirs', 'both'];
  return choices.find((choice) => spanText(pieces, hunk, choice) === text) ?? 'edited';
}

function decorate(view: EditorView): DecorationSet {
  const { spans, marks } = view.state.field(places);
  const { doc } = view.state;
  const lines: Range<Decoration>[] = [];
  for (const [i, { from, to }] of spans.entries()) {
    const name = [
      'cm-place',
      i === marks.current && 'cm-here',
      marks.open.has(i) && 'cm-open',
      from === to && 'cm-nothing',
    ];
    const line = Decoration.line({ class: name.filter(Boolean).join(' ') });
    // A place at the end begins with the end of the line before.
    let at =
      from > 0 && to > from && doc.sliceString(from, from + 1) === '\n' && to === doc.length
        ? from + 1
        : from;
    do {
      const { from: start, to: end } = doc.lineAt(at);
      lines.push(line.range(start));
      at = end + 1;
    } while (at < to);
  }
  return Decoration.set(lines, true);
}

// Twice, so that the line with the cursor shows them too.
export const resultTheme = EditorView.theme({
  '.cm-place.cm-place': { backgroundColor: 'var(--accent-soft)' },
  '.cm-open.cm-place': { backgroundColor: 'var(--warn-soft)' },
  '.cm-nothing.cm-place': { background: 'none', boxShadow: 'inset 0 2px var(--accent-line)' },
  '.cm-open.cm-nothing': { boxShadow: 'inset 0 2px var(--warn)' },
  '.cm-here.cm-place': { boxShadow: 'inset 3px 0 var(--accent)' },
  '.cm-open.cm-here': { boxShadow: 'inset 3px 0 var(--warn)' },
});
