import { describe, expect, it } from 'vitest';
import { decodeText } from './decode';

const utf8 = (text: string) => new TextEncoder().encode(text);

describe('decodeText', () => {
  it.each([
    ['UTF-8', utf8('déjà vu'), 'déjà vu', 'UTF-8'],
    ['UTF-8 with its mark, which is not shown', new Uint8Array([0xef, 0xbb, 0xbf, 0x61]), 'a', 'UTF-8'],
    ['UTF-16 little end first', new Uint8Array([0xff, 0xfe, 0x61, 0, 0xe9, 0]), 'aé', 'UTF-16LE'],
    ['UTF-16 big end first', new Uint8Array([0xfe, 0xff, 0, 0x61]), 'a', 'UTF-16BE'],
    ['Windows-1252', new Uint8Array([0x64, 0xe9, 0x6a, 0xe0]), 'déjà', 'Windows-1252'],
    ['nothing', new Uint8Array(), '', 'UTF-8'],
  ])('%s', (_, bytes, text, encoding) => {
    expect(decodeText(bytes, true)).toEqual({ text, encoding, binary: false });
  });
  it('knows UTF-16 without a mark', () => {
    const bytes = Uint8Array.from(Buffer.from('Lisboa\n', 'utf16le'));
    expect(decodeText(bytes, true)).toEqual({ text: 'Lisboa\n', encoding: 'UTF-16LE', binary: false });
  });

  it('leaves out the half of a character at a cut', () => {
    const bytes = utf8('añ');
    expect(decodeText(bytes.subarray(0, 2), false)).toMatchObject({ text: 'a', encoding: 'UTF-8' });
  });
  it('takes the same half at the end of a whole file for another encoding', () => {
    expect(decodeText(utf8('añ').subarray(0, 2), true)).toMatchObject({
      text: 'aÃ',
      encoding: 'Windows-1252',
    });
  });
  it('says that bytes with a NUL are no text', () => {
    expect(decodeText(new Uint8Array([0x7f, 0x45, 0, 1]), true).binary).toBe(true);
  });
});
