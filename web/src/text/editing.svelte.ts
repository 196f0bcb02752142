// The words of the text editor, the merge and the versions, in the visitor's language.
import { en, type EditingWords } from './editing.en';
import { fr } from './editing.fr';
import { text, type Language } from './text.svelte';

const WORDS: Record<Language, EditingWords> = { en, fr };

/** To be used where they are shown: `editingWords().merging.both`. */
export const editingWords = (): EditingWords => WORDS[text.language];
