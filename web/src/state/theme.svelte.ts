// Light, dark, or as the system has it.

export type ThemeChoice = 'system' | 'light' | 'dark';

const KEY = 'lanthorn.theme';

function remembered(): ThemeChoice {
  const choice = localStorage.getItem(KEY);
  return choice === 'light' || choice === 'dark' ? choice : 'system';
}

export class Theme {
  choice = $state<ThemeChoice>(remembered());

  constructor() {
    this.#show();
  }

  choose(choice: ThemeChoice): void {
    this.choice = choice;
    if (choice === 'system') localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, choice);
    this.#show();
  }

  #show(): void {
    if (this.choice === 'system') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = this.choice;
  }
}

export const theme = new Theme();
