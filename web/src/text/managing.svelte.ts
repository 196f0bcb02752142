// The words of uploads, of changing files and of the trash, in the visitor's language.
import { en, type ManagingWords } from './managing.en';
import { fr } from './managing.fr';
import { text, type Language } from './text.svelte';

const WORDS: Record<Language, ManagingWords> = { en, fr };

/** To be used where they are shown: `managingWords().trash.restore`. */
export const managingWords = (): ManagingWords => WORDS[text.language];
