import { expect, it } from 'vitest';
import { indentOf } from './setup';

it.each([
  ['a\n  b\n  c\n', '  '],
  ['fn main() {\n    x();\n}\n', '    '],
  ['a:\n\tb\n', '\t'],
  ['a\nb\n', '    '],
  ['a\n  b\n    c\n      d\n', '  '],
  ['/**\n * one space is a comment\n */\n', '    '],
])('%j is indented by %j', (text, unit) => {
  expect(indentOf(text)).toBe(unit);
});
