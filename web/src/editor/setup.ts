// What an editor that can be typed into has beyond one that is read: keys, undo, indentation as the text has it.
import { defaultKeymap, history, historyKeymap, indentWithTab } from '@codemirror/commands';
import { bracketMatching, indentOnInput, indentUnit } from '@codemirror/language';
import { EditorState, type Extension } from '@codemirror/state';
import { EditorView, highlightActiveLine, highlightActiveLineGutter, keymap } from '@codemirror/view';

/** How many lines tell how a text is indented. */
const LOOKED_AT = 500;

/** Typing, undo, and Tab as indentation. */
export function editing(beginning: string): Extension {
  return [
    history(),
    indentOnInput(),
    bracketMatching(),
    highlightActiveLine(),
    highlightActiveLineGutter(),
    indentUnit.of(indentOf(beginning)),
    EditorState.tabSize.of(4),
    keymap.of([indentWithTab, ...defaultKeymap, ...historyKeymap]),
    leaving,
  ];
}

/** Esc gives Tab back to the page; typing, or coming back, takes it again. */
const leaving: Extension = [
  keymap.of([
    {
      key: 'Escape',
      run: (view) => {
        view.setTabFocusMode(true);
        return true;
      },
    },
  ]),
  EditorView.domEventHandlers({ focus: (_, view) => view.setTabFocusMode(false) }),
  EditorView.updateListener.of(({ view, docChanged }) => {
    if (docChanged) view.setTabFocusMode(false);
  }),
];

/** One step of indentation as the text has it: a tab, or so many spaces. */
export function indentOf(text: string): string {
  const counts = new Map<string, number>();
  let before = 0;
  for (const line of text.split('\n', LOOKED_AT)) {
    const [indent = ''] = /^[ \t]*/.exec(line) ?? [];
    if (indent.length === line.length) continue;
    if (indent.startsWith('\t')) count(counts, '\t');
    else if (indent.length - before > 1 && indent.length - before <= 8)
      count(counts, ' '.repeat(indent.length - before));
    before = indent.startsWith('\t') ? 0 : indent.length;
  }
  const [[most] = ['    ']] = [...counts].toSorted(([, a], [, b]) => b - a);
  return most;
}

const count = (counts: Map<string, number>, unit: string) => counts.set(unit, (counts.get(unit) ?? 0) + 1);
