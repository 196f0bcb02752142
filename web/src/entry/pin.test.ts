import { describe, expect, it } from 'vitest';
import { isPin, pinStrength, suggestPin } from './pin';

it.each([
  ['1234', true],
  ['123456789012', true],
  ['123', false],
  ['1234567890123', false],
  ['12a4', false],
  ['١٢٣٤', false],
  ['', false],
])('%j is a PIN: %s', (pin, is) => {
  expect(isPin(pin)).toBe(is);
});

it.each([
  ['1793', 'weak'],
  ['17935', 'fair'],
  ['179352', 'strong'],
  ['111111', 'weak'],
  ['123456', 'weak'],
  ['987654', 'weak'],
  ['121212', 'weak'],
  ['123123', 'weak'],
  ['199012', 'weak'],
  ['24121990', 'weak'],
  ['135791', 'strong'],
])('%s is %s', (pin, strength) => {
  expect(pinStrength(pin)).toBe(strength);
});

describe('a suggestion', () => {
  it('is six digits, no pattern, and another one each time', () => {
    const many = Array.from({ length: 200 }, suggestPin);
    expect(many.every((pin) => /^\d{6}$/.test(pin) && pinStrength(pin) === 'strong')).toBe(true);
    expect(new Set(many).size).toBeGreaterThan(190);
  });
});
