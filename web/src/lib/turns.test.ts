import { expect, it } from 'vitest';
import { Turns } from './turns';

it('lets so many go at a time, in the order they came', async () => {
  const turns = new Turns(2);
  const begun: number[] = [];
  const ends: (() => void)[] = [];
  const all = Promise.all(
    [0, 1, 2, 3].map((i) =>
      turns.run(() => {
        begun.push(i);
        return new Promise<number>((done) => ends.push(() => done(i)));
      }),
    ),
  );
  expect(begun).toEqual([0, 1]);
  for (let i = 0; i < 4; i += 1) {
    ends[i]?.();
    await new Promise((done) => setTimeout(done));
    expect(begun).toEqual([0, 1, 2, 3].slice(0, i + 3));
  }
  expect(await all).toEqual([0, 1, 2, 3]);
});

it('goes on after one that failed', async () => {
  const turns = new Turns(1);
  await expect(turns.run(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(await turns.run(async () => 'yes')).toBe('yes');
});
