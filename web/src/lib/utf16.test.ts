import { expect, it } from 'vitest';
import { unmarkedUtf16 } from './utf16';

const wide = (text: string, little = true) => {
  const units = Buffer.from(text, 'utf16le');
  return new Uint8Array(little ? units : units.swap16());
};

it.each<[string, Uint8Array, 'little' | 'big' | undefined]>([
  ['Latin letters', wide('Olá, Lisboa\r\n'), 'little'],
  ['Latin letters, the other way round', wide('Olá, Lisboa\r\n', false), 'big'],
  ['another script with spaces and line ends', wide('Добро пожаловать в Лиссабон\r\nи снова\r\n'), 'little'],
  ['a character of two units', wide('tram 🚋'), 'little'],
  ['a beginning cut in the middle', wide('abc').subarray(0, 5), 'little'],
  ['nothing', new Uint8Array(), undefined],
  ['UTF-8', new TextEncoder().encode('plain'), undefined],
  ['one zero in a text', new TextEncoder().encode('a\0b plain, plain, plain, plain'), undefined],
  ['small numbers in two bytes', Uint8Array.of(1, 0, 2, 0, 3, 0, 4, 0), undefined],
  ['numbers in four bytes', Uint8Array.of(65, 0, 0, 0, 66, 0, 0, 0), undefined],
  ['zeros', new Uint8Array(16), undefined],
])('%s', (_, bytes, order) => {
  expect(unmarkedUtf16(bytes)).toBe(order);
});
