import { expect, it } from 'vitest';
import { nothing, type Found } from './gather';
import { Intake } from './intake';

const files = (count: number, from = 0): Found => ({
  ...nothing(),
  files: Array.from({ length: count }, (_, i) => ({ path: `${from + i}`, file: new File([], 'x') })),
});

it('hands on portions that grow, in the order in which they were found', async () => {
  const handed: string[][] = [];
  const intake = new Intake(async (found) => void handed.push(found.files.map(({ path }) => path)));
  for (let i = 0; i < 10_000; i += 100) intake.take(files(100, i));
  await intake.end();
  expect(handed.flat()).toEqual(Array.from({ length: 10_000 }, (_, i) => `${i}`));
  expect(handed.map(({ length }) => length)).toEqual([300, 500, 1_000, 2_000, 2_000, 2_000, 2_000, 200]);
});

it('hands on one portion after the other, and ends after the last', async () => {
  const ends: (() => void)[] = [];
  const intake = new Intake(() => new Promise((done) => ends.push(done)));
  let ended = false;
  intake.take(files(300));
  intake.take({ ...nothing(), folders: ['empty'] });
  const end = intake.end().then(() => (ended = true));
  await expect.poll(() => ends.length).toBe(1);
  ends[0]?.();
  await expect.poll(() => ends.length).toBe(2);
  expect(ended).toBe(false);
  ends[1]?.();
  await end;
});

it('hands on nothing where nothing was found', async () => {
  const intake = new Intake(() => Promise.reject(new Error('called')));
  await intake.end();
});
