import { describe, expect, it } from 'vitest';
import { endingOf, viewerFor } from './viewer';

describe('viewerFor', () => {
  it.each([
    ['DSC_0412.JPG', 'image', 8e6, 'image'],
    ['logo.svg', 'image', 9, 'image'],
    ['scan.tiff', 'image', 9, 'none'],
    ['photo.heic', 'image', 9, 'none'],
    ['film.mkv', 'video', 9, 'video'],
    ['song.opus', 'audio', 9, 'audio'],
    ['a.pdf', 'document', 9, 'pdf'],
    ['letter.docx', 'document', 9, 'none'],
    ['README.md', 'text', 9, 'markdown'],
    ['prices.csv', 'document', 9, 'table'],
    ['index.HTML', 'code', 9, 'html'],
    ['main.rs', 'code', 9, 'text'],
    ['Makefile', 'other', 900, 'text'],
    ['.gitignore', 'other', 900, 'text'],
    ['core.12345', 'other', 9e8, 'none'],
    ['a.zip', 'archive', 9, 'none'],
    ['.mp4', 'other', 9, 'text'],
  ])('%s (%s, %d bytes) → %s', (name, kind, size, viewer) => {
    expect(viewerFor(name, kind, size)).toBe(viewer);
  });
});

it('endingOf', () => {
  expect(['a.TXT', '.profile', 'a', 'a.b.c', 'a.'].map(endingOf)).toEqual(['txt', '', '', 'c', '']);
});
