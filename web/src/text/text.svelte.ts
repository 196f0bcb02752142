// The words on the page, in the visitor's language. English is always there; others load when chosen.
import { en, type Words } from './en';

export type Language = 'en' | 'fr';
export const LANGUAGES: readonly Language[] = ['en', 'fr'];

const KEY = 'lanthorn.language';
const LOADERS: Record<Language, () => Promise<Words>> = {
  en: async () => en,
  fr: async () => (await import('./fr')).fr,
};

class Text {
  words = $state.raw<Words>(en);
  language = $state<Language>('en');

  async load(language: Language): Promise<void> {
    this.words = await LOADERS[language]();
    this.language = language;
    document.documentElement.lang = language;
  }

  /** Chooses a language for good in this browser. */
  async choose(language: Language): Promise<void> {
    localStorage.setItem(KEY, language);
    await this.load(language);
  }
}

export const text = new Text();

/** The words, to be used where they are shown: `t().files.title`. */
export const t = (): Words => text.words;

/** What the visitor chose earlier, else the first of the browser's languages that we speak. */
export function preferredLanguage(): Language {
  const wanted = [localStorage.getItem(KEY) ?? '', ...navigator.languages];
  for (const tag of wanted) {
    const language = LANGUAGES.find((known) => tag.toLowerCase().startsWith(known));
    if (language) return language;
  }
  return 'en';
}
