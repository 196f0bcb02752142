// How code looks, in the page's own tokens, and the words of its find panel. Knows no language.
import { HighlightStyle } from '@codemirror/language';
import { EditorView } from '@codemirror/view';
import { tags } from '@lezer/highlight';
import type { Language } from '../text/text.svelte';

export const colours = HighlightStyle.define([
  { tag: [tags.comment, tags.meta, tags.processingInstruction], color: 'var(--text-3)', fontStyle: 'italic' },
  { tag: [tags.keyword, tags.modifier, tags.operatorKeyword, tags.self], color: 'var(--kind-image)' },
  { tag: [tags.string, tags.special(tags.string), tags.regexp], color: 'var(--kind-audio)' },
  { tag: [tags.number, tags.bool, tags.null, tags.atom, tags.escape], color: 'var(--kind-video)' },
  { tag: [tags.typeName, tags.className, tags.namespace, tags.tagName], color: 'var(--kind-code)' },
  {
    tag: [tags.function(tags.variableName), tags.function(tags.propertyName), tags.macroName],
    color: 'var(--kind-doc)',
  },
  { tag: [tags.propertyName, tags.attributeName, tags.labelName], color: 'var(--kind-archive)' },
  { tag: tags.heading, color: 'var(--text)', fontWeight: '650' },
  { tag: tags.strong, fontWeight: '650' },
  { tag: tags.emphasis, fontStyle: 'italic' },
  { tag: tags.strikethrough, textDecoration: 'line-through' },
  { tag: [tags.link, tags.url], color: 'var(--info)' },
  { tag: tags.inserted, color: 'var(--ok)' },
  { tag: [tags.deleted, tags.invalid], color: 'var(--danger)' },
]);

export const frame = EditorView.theme({
  '&': { backgroundColor: 'var(--bg)', color: 'var(--text)', fontSize: '13px' },
  '&.cm-focused': { outline: 'none' },
  '.cm-scroller': {
    fontFamily: 'var(--mono)',
    lineHeight: '20px',
    fontVariantLigatures: 'none',
    paddingBottom: '24px',
  },
  '.cm-content': { padding: '10px 0' },
  '.cm-content:focus-visible': { outline: '2px solid var(--focus)', outlineOffset: '-2px' },
  // Where one types, the cursor shows where the keys go.
  '.cm-content[contenteditable=true]:focus-visible': { outline: 'none' },
  '.cm-activeLine': { backgroundColor: 'var(--bg-tile)' },
  '.cm-activeLineGutter': { backgroundColor: 'transparent', color: 'var(--text)' },
  '&.cm-focused .cm-cursor': { borderLeft: '2px solid var(--accent)' },
  '&.cm-focused .cm-matchingBracket': {
    backgroundColor: 'var(--accent-soft)',
    outline: '1px solid var(--accent-line)',
  },
  '&.cm-focused .cm-nonmatchingBracket': { backgroundColor: 'var(--danger-soft)' },
  '.cm-gutters': { backgroundColor: 'var(--bg)', color: 'var(--text-3)', border: 'none', paddingLeft: '8px' },
  '.cm-lineNumbers .cm-gutterElement': { padding: '0 12px 0 8px', minWidth: '32px' },
  '&.cm-focused .cm-selectionBackground, .cm-selectionBackground': { backgroundColor: 'var(--accent-soft)' },
  '.cm-panels': {
    backgroundColor: 'var(--bg-sunken)',
    color: 'var(--text)',
    borderBottom: '1px solid var(--line)',
  },
  '.cm-panel.cm-search': { padding: '6px 36px 6px 12px', font: 'var(--t-sm)' },
  '.cm-panel.cm-search label': { fontSize: '12px', color: 'var(--text-2)' },
  '.cm-textfield': {
    backgroundColor: 'var(--bg-raised)',
    border: '1px solid var(--line-strong)',
    borderRadius: 'var(--r-sm)',
    padding: '4px 8px',
  },
  '.cm-button': {
    backgroundImage: 'none',
    backgroundColor: 'var(--bg-raised)',
    border: '1px solid var(--line)',
    borderRadius: 'var(--r-sm)',
    padding: '4px 10px',
  },
  '.cm-panel.cm-search [name=close]': {
    top: '6px',
    right: '10px',
    width: '24px',
    height: '24px',
    fontSize: '18px',
  },
  '.cm-searchMatch': { backgroundColor: 'var(--warn-soft)', outline: '1px solid var(--warn)' },
  '.cm-searchMatch-selected': { backgroundColor: 'var(--accent-soft)', outline: '2px solid var(--accent)' },
  '.cm-specialChar': { color: 'var(--danger)' },
});

/**
 * How two texts side by side, or one in the other, show where they differ. The left one is what it was before; where
 * neither is, whoever shows them sets `--left` and `--left-soft`.
 */
export const comparison = EditorView.theme({
  '&.cm-merge-a .cm-changedLine, .cm-deletedChunk': {
    backgroundColor: 'var(--left-soft, var(--danger-soft))',
  },
  '&.cm-merge-b .cm-changedLine, .cm-inlineChangedLine, .cm-insertedLine': {
    backgroundColor: 'var(--accent-soft)',
  },
  '&.cm-merge-a .cm-changedText.cm-changedText, .cm-deletedChunk .cm-deletedText.cm-deletedText': underlined(
    'var(--left, var(--danger))',
  ),
  '&.cm-merge-b .cm-changedText.cm-changedText': underlined('var(--accent)'),
  '&.cm-merge-a .cm-changedLineGutter.cm-changedLineGutter, .cm-deletedLineGutter.cm-deletedLineGutter': {
    background: 'var(--left, var(--danger))',
  },
  '&.cm-merge-b .cm-changedLineGutter.cm-changedLineGutter': { background: 'var(--accent)' },
  '.cm-collapsedLines.cm-collapsedLines': {
    background: 'var(--bg-sunken)',
    color: 'var(--text-3)',
    font: 'var(--t-xs)',
    '&:before, &:after': { content: '"…"' },
  },
});

function underlined(colour: string) {
  return { background: `linear-gradient(${colour}, ${colour}) bottom / 100% 1.5px no-repeat` };
}

const FRENCH: Record<string, string> = {
  Find: 'Chercher',
  next: 'suivant',
  previous: 'précédent',
  all: 'tous',
  'match case': 'casse',
  'by word': 'mot entier',
  regexp: 'expression régulière',
  close: 'fermer',
  'Control character': 'Caractère de contrôle',
  Replace: 'Remplacer par',
  replace: 'remplacer',
  'replace all': 'tout remplacer',
  'Go to line': 'Aller à la ligne',
  go: 'aller',
  '$ unchanged lines': '$ lignes inchangées',
  'current match': 'trouvé',
  'on line': 'à la ligne',
  'replaced $ matches': '$ remplacements',
  'replaced match on line $': 'remplacé à la ligne $',
};

/** The words of the find panel; its own are English. */
export function phrases(language: Language): Record<string, string> {
  return language === 'fr' ? FRENCH : {};
}
