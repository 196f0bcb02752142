// The words of trusting a machine and of letting one in, in the visitor's language.
import { en, type JoiningWords } from './joining.en';
import { fr } from './joining.fr';
import { text, type Language } from './text.svelte';

const WORDS: Record<Language, JoiningWords> = { en, fr };

/** To be used where they are shown: `joiningWords().pairing.code`. */
export const joiningWords = (): JoiningWords => WORDS[text.language];
