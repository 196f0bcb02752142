import { beforeEach, expect, it } from 'vitest';
import { pushUndo, takeUndo } from './undo';

const place = { device: 'd', share: 's' };
const act = (id: string) => ({ id, parts: [{ place, token: id }], what: id });
beforeEach(() => sessionStorage.clear());

it('gives back the last one, each once', () => {
  pushUndo(act('a'));
  pushUndo(act('b'));
  expect(takeUndo()?.what).toBe('b');
  expect(takeUndo()?.what).toBe('a');
  expect(takeUndo()).toBeUndefined();
});

it('gives back one by its id', () => {
  pushUndo(act('a'));
  pushUndo(act('b'));
  expect(takeUndo('a')?.what).toBe('a');
  expect(takeUndo('a')).toBeUndefined();
  expect(takeUndo()?.what).toBe('b');
});

it('survives what is not its own', () => {
  sessionStorage.setItem('lanthorn.undo', 'broken');
  expect(takeUndo()).toBeUndefined();
});
