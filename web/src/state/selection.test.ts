import { beforeEach, describe, expect, it } from 'vitest';
import { Selection } from './selection.svelte';

let selection: Selection;
beforeEach(() => {
  selection = new Selection();
});

describe('choosing', () => {
  it('one leaves the others', () => {
    selection.only(3);
    selection.only(7);
    expect(selection.indices).toEqual([7]);
    expect(selection.cursor).toBe(7);
  });

  it('adds and takes away', () => {
    selection.only(3);
    selection.toggle(9);
    selection.toggle(5);
    selection.toggle(3);
    expect(selection.indices).toEqual([5, 9]);
    expect(selection.has(3)).toBe(false);
  });

  it('a range turns round where it began', () => {
    selection.only(5);
    selection.extend(8);
    expect(selection.indices).toEqual([5, 6, 7, 8]);
    selection.extend(3);
    expect(selection.indices).toEqual([3, 4, 5]);
    expect(selection.cursor).toBe(3);
  });

  it('a range begins at what was added last', () => {
    selection.only(1);
    selection.toggle(10);
    selection.extend(12);
    expect(selection.indices).toEqual([10, 11, 12]);
  });

  it('takes all of a hundred thousand', () => {
    selection.all(100_000);
    expect(selection.size).toBe(100_000);
    expect(selection.has(99_999)).toBe(true);
    expect(selection.has(100_000)).toBe(false);
  });
});

describe('by touch', () => {
  it('ends with the last one taken away', () => {
    selection.selecting = true;
    selection.toggle(2);
    selection.toggle(4);
    selection.toggle(2);
    expect(selection.selecting).toBe(true);
    selection.toggle(4);
    expect(selection.selecting).toBe(false);
  });
});

describe('coming back', () => {
  it('finds what was chosen, and goes on from the cursor', () => {
    selection.restore([4, 6], 6);
    expect(selection.indices).toEqual([4, 6]);
    selection.extend(8);
    expect(selection.indices).toEqual([6, 7, 8]);
  });

  it('to another folder finds nothing', () => {
    selection.only(4);
    selection.selecting = true;
    selection.reset();
    expect([selection.size, selection.cursor, selection.selecting]).toEqual([0, -1, false]);
  });
});
