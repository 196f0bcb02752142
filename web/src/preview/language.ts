// The language of a file, told by its name, else by its first line. Loads no grammar itself.
import { LanguageDescription } from '@codemirror/language';
import { languages } from '@codemirror/language-data';

/** Names and endings that the table of the highlighter does not know, with the language they are close to. */
const MORE: [RegExp, string][] = [
  [/\.(bashrc|zshrc|profile|zsh|fish|envrc|env)$|^(\.?bashrc|\.?zshrc|\.profile|\.env.*)$/i, 'Shell'],
  [/\.(svelte|astro|xhtml|xht)$/i, 'HTML'],
  [/\.(mts|cts)$/i, 'TypeScript'],
  [/\.(json5|jsonc|webmanifest|geojson|ipynb)$|^\.(eslintrc|prettierrc|babelrc)$/i, 'JSON'],
  [/^(Cargo|poetry|uv)\.lock$|\.toml$/i, 'TOML'],
  [
    /\.(conf|ini|cfg|properties|service|desktop|editorconfig|gitconfig)$|^\.(editorconfig|gitconfig|npmrc)$/i,
    'Properties files',
  ],
  [/^(Containerfile|Dockerfile.*)$/i, 'Dockerfile'],
  [/\.(svg|plist|xsd|xsl|gpx|kml|rss|atom|csproj|opf)$/i, 'XML'],
  [/\.(diff|patch)$/i, 'diff'],
];

const BY_SHEBANG: [RegExp, string][] = [
  [/^#!.*\b(ba|z|da|k)?sh\b/, 'Shell'],
  [/^#!.*\bpython/, 'Python'],
  [/^#!.*\b(node|deno|bun)\b/, 'JavaScript'],
  [/^#!.*\bruby/, 'Ruby'],
  [/^#!.*\bperl/, 'Perl'],
  [/^<\?xml\b/, 'XML'],
];

/** The language of a file of this name that begins so; null if nobody can tell. */
export function languageNamed(name: string, beginning: string): LanguageDescription | null {
  const more = MORE.find(([pattern]) => pattern.test(name))?.[1];
  if (more) return described(more);
  const known = LanguageDescription.matchFilename(languages, name);
  if (known) return known;
  const shebang = BY_SHEBANG.find(([pattern]) => pattern.test(beginning))?.[1];
  return shebang ? described(shebang) : null;
}

function described(language: string): LanguageDescription | null {
  return languages.find(({ name }) => name === language) ?? null;
}
