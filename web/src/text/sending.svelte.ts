// The words of the inbox, of transfers and of sending, in the visitor's language.
import { en, type SendingWords } from './sending.en';
import { fr } from './sending.fr';
import { text, type Language } from './text.svelte';

const WORDS: Record<Language, SendingWords> = { en, fr };

/** To be used where they are shown: `sendingWords().inbox.title`. */
export const sendingWords = (): SendingWords => WORDS[text.language];
