// What every text with line numbers has in common, whether it is read, edited, compared or merged.
import { syntaxHighlighting } from '@codemirror/language';
import { search, searchKeymap } from '@codemirror/search';
import { EditorState, type Compartment, type Extension } from '@codemirror/state';
import { drawSelection, EditorView, highlightSpecialChars, keymap, lineNumbers } from '@codemirror/view';
import { text as words } from '../text/text.svelte';
import { colours, frame, phrases } from './code-theme';
import { languageNamed } from './language';

/** Numbers, colours, search and the page's words; `label` is its accessible name. */
export function codeBase(label: string): Extension {
  const nonce = document.querySelector<HTMLElement>('meta[property="csp-nonce"]')?.nonce ?? '';
  return [
    EditorView.cspNonce.of(nonce),
    EditorView.contentAttributes.of({ 'aria-label': label }),
    EditorState.phrases.of(phrases(words.language)),
    lineNumbers(),
    highlightSpecialChars(),
    drawSelection(),
    search({ top: true }),
    keymap.of(searchKeymap),
    syntaxHighlighting(colours),
    frame,
  ];
}

/** Text that can be read and selected, and not changed. */
export const readOnly: Extension = [
  EditorState.readOnly.of(true),
  EditorView.editable.of(false),
  EditorView.contentAttributes.of({ tabindex: '0' }),
];

export const wrapped = (on: boolean): Extension => (on ? EditorView.lineWrapping : []);

/** Fetches the grammar for a file of this name and colours by it. */
export async function colourLike(
  name: string,
  beginning: string,
  compartment: Compartment,
  ...views: EditorView[]
): Promise<void> {
  const support = await languageNamed(name, beginning)
    ?.load()
    .catch(() => undefined);
  if (!support) return;
  for (const view of views) {
    // One that was closed in the meantime has nothing left to colour.
    if (view.dom.isConnected) view.dispatch({ effects: compartment.reconfigure(support) });
  }
}
