import { describe, expect, it } from 'vitest';
import { leavesOf, treeOf } from './tree';

describe('the tree of a folder that is offered', () => {
  it('holds what is in the same folder together, whatever the order', () => {
    const tree = treeOf(['a/one.txt', 'b.txt', 'a', 'a/deep/two.txt']);
    expect(tree).toEqual([
      {
        name: 'a',
        inside: [
          { name: 'one.txt', inside: [] },
          { name: 'deep', inside: [{ name: 'two.txt', inside: [] }] },
        ],
      },
      { name: 'b.txt', inside: [] },
    ]);
    expect(leavesOf(tree)).toBe(3);
  });

  it('is empty where nothing was told', () => {
    expect(treeOf([])).toEqual([]);
    expect(leavesOf([])).toBe(0);
  });
});
