import { describe, expect, it } from 'vitest';
import { randomFrom, type Random } from '../lib/random';
import { readText, withEndings, writeText, type TextFile } from './text-format';

const bytes = (...parts: (number[] | string)[]) =>
  Uint8Array.from(parts.flatMap((part) => (typeof part === 'string' ? [...Buffer.from(part)] : part)));
const utf16 = (text: string, little: boolean) => {
  const units = Buffer.from(`\ufeff${text}`, 'utf16le');
  return new Uint8Array(little ? units : units.swap16());
};
const read = (from: Uint8Array) => readText(from) as TextFile;

function again(from: Uint8Array): Uint8Array {
  const { text, format, raw } = read(from);
  return writeText(text, format, raw).bytes;
}

describe('what is read', () => {
  it.each([
    ['UTF-8', bytes('olá\n'), 'olá\n'],
    ['UTF-8 BOM', bytes([0xef, 0xbb, 0xbf], 'olá'), 'olá'],
    ['UTF-16LE', utf16('olá 🚋', true), 'olá 🚋'],
    ['UTF-16BE', utf16('olá 🚋', false), 'olá 🚋'],
    ['UTF-16LE no BOM', utf16('olá 🚋\n', true).slice(2), 'olá 🚋\n'],
    ['UTF-16BE no BOM', utf16('olá 🚋\n', false).slice(2), 'olá 🚋\n'],
    ['Windows-1252', bytes('ol', [0xe1, 0x20, 0x80, 0x8d]), 'olá €\u008d'],
    ['Windows-1252', bytes([0xef, 0xbb, 0xbf, 0xe1]), 'ï»¿á'],
    ['UTF-8', bytes(), ''],
  ])('%s', (encoding, from, text) => {
    expect(read(from)).toMatchObject({ text, format: { encoding } });
    expect(again(from)).toEqual(from);
  });

  it.each([bytes('a', [0], 'b'), bytes([0xff, 0xfe, 0x61])])('what is not text is told', (from) => {
    expect(readText(from)).toBeUndefined();
  });

  it.each([
    ['a\nb\n', '\n', false],
    ['a\r\nb', '\r\n', false],
    ['a\rb', '\r', false],
    ['a\r\nb\nc\r\n', '\r\n', true],
    ['a', '\n', false],
  ])('%j ends its lines with %j', (raw, ending, mixed) => {
    expect(read(bytes(raw)).format).toMatchObject({ ending, mixed });
    expect(read(bytes(raw)).text).not.toContain('\r');
  });
});

describe('what is written', () => {
  const characters = ['a', 'é', '€', '\ud83d', '\udd2e', '🚋', '\n', '\r', '\r\n', '\ufeff', '\u2028', '\t'];

  function anyText(random: Random): string {
    return Array.from({ length: random.below(30) }, () => random.pick(characters)).join('');
  }

  it('is byte for byte what was read, if nothing was changed', () => {
    const random = randomFrom(7);
    for (let i = 0; i < 2_000; i += 1) {
      const text = anyText(random);
      const whole = Buffer.from(text.replace(/[\ud83d\udd2e]/gu, ''));
      for (const from of [utf16(text, true), utf16(text, false), bytes([0xef, 0xbb, 0xbf], [...whole])]) {
        expect(again(from)).toEqual(from);
      }
    }
  });

  it('is byte for byte what was read, whatever the bytes are', () => {
    const random = randomFrom(11);
    const likely = [0x0a, 0x0d, 0x41, 0x61, 0x80, 0x81, 0x9d, 0xc3, 0xa9, 0xe9, 0xef, 0xbb, 0xbf, 0xff, 0xfe];
    for (let i = 0; i < 5_000; i += 1) {
      const from = Uint8Array.from({ length: random.below(20) }, () => random.pick(likely));
      if (readText(from)) expect(again(from)).toEqual(from);
    }
  });

  it('keeps the ending of every line, changed or not, and gives a new one its neighbour’s', () => {
    const { text, format, raw } = read(bytes('one\r\ntwo\nthree\r\nfour\r'));
    expect(withEndings(text, format, raw)).toBe('one\r\ntwo\nthree\r\nfour\r');
    expect(withEndings(text.replace('two', '2'), format, raw)).toBe('one\r\n2\nthree\r\nfour\r');
    const edited = text.replace('two\n', 'two\nnew\n').replace('three', '3');
    expect(withEndings(edited, format, raw)).toBe('one\r\ntwo\nnew\r\n3\r\nfour\r');
  });

  it('tells which characters the encoding does not have', () => {
    const { format, raw } = read(bytes([0xe9]));
    expect(writeText('é ş 🚋 ş', format, raw).lost).toEqual(['ş', '🚋']);
    expect(writeText('é €', format, raw)).toEqual({ bytes: bytes([0xe9, 0x20, 0x80]), lost: [] });
    expect(writeText('half \ud83d', { ...format, encoding: 'UTF-8' }, raw).lost).toEqual(['\ud83d']);
  });
});
