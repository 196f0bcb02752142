import { expect, it } from 'vitest';
import { languageNamed } from './language';

it.each([
  ['main.rs', '', 'Rust'],
  ['a.PY', '', undefined],
  ['a.py', '', 'Python'],
  ['App.svelte', '', 'HTML'],
  ['Cargo.lock', '', 'TOML'],
  ['Dockerfile', '', 'Dockerfile'],
  ['.bashrc', '', 'Shell'],
  ['.editorconfig', '', 'Properties files'],
  ['tsconfig.json', '', 'JSON'],
  ['logo.svg', '', 'XML'],
  ['fix.patch', '', 'diff'],
  ['run', '#!/usr/bin/env bash\n', 'Shell'],
  ['run', '#!/usr/bin/python3\n', 'Python'],
  ['notes', 'hello', undefined],
])('%s that begins with %j is %s', (name, beginning, language) => {
  expect(languageNamed(name, beginning)?.name).toBe(language);
});
