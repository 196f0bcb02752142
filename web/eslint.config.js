// Lint rules of the page: the recommended sets, plus what the content security policy and the house demand.
import js from '@eslint/js';
import prettier from 'eslint-config-prettier';
import svelte from 'eslint-plugin-svelte';
import globals from 'globals';
import ts from 'typescript-eslint';

export default ts.config(
  { ignores: ['dist/', 'test-results/', 'playwright-report/', 'src/api/schema.gen.ts'] },
  js.configs.recommended,
  ...ts.configs.strict,
  ...svelte.configs.recommended,
  prettier,
  ...svelte.configs.prettier,
  { languageOptions: { globals: { ...globals.browser } } },
  { files: ['scripts/**', '*.config.*', 'e2e/**'], languageOptions: { globals: { ...globals.node } } },
  {
    files: ['**/*.svelte', '**/*.svelte.ts'],
    languageOptions: { parserOptions: { parser: ts.parser } },
    rules: {
      // Our router is not SvelteKit's: links are plain hrefs made by routes.ts.
      'svelte/no-navigation-without-resolve': 'off',
      // Collections that are replaced, never mutated, need no reactive wrapper.
      'svelte/prefer-svelte-reactivity': 'off',
      // Markup from strings goes through a Trusted Types policy, in one file of its own.
      'svelte/no-at-html-tags': 'error',
    },
  },
  {
    rules: {
      'no-restricted-properties': [
        'error',
        {
          property: 'innerHTML',
          message: 'Only the Markdown preview may, through its Trusted Types policy.',
        },
        { property: 'outerHTML', message: 'Build elements instead.' },
      ],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
    },
  },
);
