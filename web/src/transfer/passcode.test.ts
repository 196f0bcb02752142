import { describe, expect, it } from 'vitest';
import { isPasscode, proposePasscode } from './passcode';

const drawing = (...numbers: number[]) => {
  const left = [...numbers];
  return (into: Uint16Array) => (into[0] = left.shift() ?? 0);
};

describe('a passcode', () => {
  it.each([
    ['0000', true],
    ['4829', true],
    ['482', false],
    ['48290', false],
    ['48 9', false],
    ['٤٨٢٩', false],
  ])('%s: %s', (text, good) => expect(isPasscode(text)).toBe(good));

  it('is proposed with leading zeros', () => expect(proposePasscode(drawing(7))).toBe('0007'));

  it('draws again where the low numbers would be likelier', () => {
    expect(proposePasscode(drawing(65_000, 60_000, 4_829))).toBe('4829');
    expect(proposePasscode(drawing(59_999))).toBe('9999');
  });

  it('is a passcode whatever is drawn', () => {
    for (let i = 0; i < 100; i += 1) expect(isPasscode(proposePasscode())).toBe(true);
  });
});
