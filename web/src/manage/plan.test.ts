import { describe, expect, it } from 'vitest';
import type { Entry } from '../api/types';
import type { Chosen } from '../state/entries';
import { byFolder, groupsOf, isIdle, MOST_ITEMS, stepsInto } from './plan';

function chosen(path: string, share = 's'): Chosen {
  const entry: Entry = {
    name: path,
    path,
    type: 'folder',
    kind: 'folder',
    size: 0,
    modified: null,
    version: '',
  };
  return { place: { device: 'd', share }, entry };
}

const folder = (path: string, share = 's') => ({ device: 'd', share, path });

it('asks each share for its own', () => {
  const groups = groupsOf([chosen('a'), chosen('b', 'other'), chosen('c')]);
  expect(groups.map(({ chosen: some }) => some.map(({ entry }) => entry.path))).toEqual([['a', 'c'], ['b']]);
});

it('asks for no more than one act takes', () => {
  const many = Array.from({ length: 2 * MOST_ITEMS + 1 }, (_, i) => chosen(`${i}`));
  expect(groupsOf(many).map(({ chosen: some }) => some.length)).toEqual([MOST_ITEMS, MOST_ITEMS, 1]);
});

it('asks for one folder after the other where that is how it is asked', () => {
  const [group] = groupsOf(['a/x', 'b/y', 'a/z'].map((path) => chosen(path)));
  const groups = byFolder(group as NonNullable<typeof group>);
  expect(groups.map(({ chosen: some }) => some.map(({ entry }) => entry.path))).toEqual([
    ['a/x', 'a/z'],
    ['b/y'],
  ]);
});

it('keeps names on the way', () => {
  expect(stepsInto([chosen('a/b'), chosen('c')], 'x/y')).toEqual([
    { from: 'a/b', to: 'x/y/b' },
    { from: 'c', to: 'x/y/c' },
  ]);
  expect(stepsInto([chosen('a/b')], '')).toEqual([{ from: 'a/b', to: 'b' }]);
});

describe('goes nowhere', () => {
  it.each([
    ['its own folder', 'a/b', folder('a'), true],
    ['itself', 'a/b', folder('a/b'), true],
    ['a folder in it', 'a/b', folder('a/b/c'), true],
    ['a folder of a like name', 'a/b', folder('a/bc'), false],
    ['the top', 'a/b', folder(''), false],
    ['another share', 'a/b', folder('a', 'other'), false],
  ])('into %s', (_, path, into, idle) => expect(isIdle(chosen(path), into)).toBe(idle));
});
