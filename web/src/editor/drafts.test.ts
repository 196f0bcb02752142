import { beforeEach, describe, expect, it } from 'vitest';
import { Drafts, HELD_MS, type Draft, type DraftStore } from './drafts';
import { PLAIN } from './text-format';

const place = { device: 'd', share: 's' };
let kept: Map<string, Draft>;
let store: DraftStore;
let now: number;

const tab = (name: string, principal = 'ana') => new Drafts(store, principal, name, () => now);
const draft = (path: string, text: string, changed = 1) => ({
  place,
  path,
  text,
  base: '',
  version: '1',
  format: PLAIN,
  changed,
});

beforeEach(() => {
  kept = new Map();
  now = 1_000_000;
  store = {
    put: async (key, draft) => void kept.set(key, draft),
    delete: async (key) => void kept.delete(key),
    all: async () => [...kept.values()],
  };
});

describe('a draft', () => {
  it('is found again by its tab, and the last one counts', async () => {
    await tab('one').keep(draft('a', 'first'), true);
    await tab('one').keep(draft('a', 'second'), true);
    expect(kept.size).toBe(1);
    expect(await tab('one').of(place, 'a')).toMatchObject({ text: 'second' });
    expect(await tab('one').of({ ...place, share: 'other' }, 'a')).toBeUndefined();
    expect(await tab('one').of(place, 'b')).toBeUndefined();
  });

  it('is not offered to another tab while its own is open', async () => {
    await tab('one').keep(draft('a', 'text'), true);
    expect(await tab('two').of(place, 'a')).toBeUndefined();
    now += HELD_MS;
    expect(await tab('two').of(place, 'a')).toMatchObject({ text: 'text' });
  });

  it('is offered at once when its tab let it go', async () => {
    await tab('one').keep(draft('a', 'text'), false);
    expect(await tab('two').of(place, 'a')).toMatchObject({ text: 'text' });
  });

  it('is nobody else’s', async () => {
    await tab('one', 'ana').keep(draft('a', 'text'), false);
    expect(await tab('one', 'rui').all()).toEqual([]);
  });

  it('goes over to the tab that takes it', async () => {
    await tab('one').keep(draft('a', 'text'), false);
    const [left] = await tab('two').all();
    await tab('two').adopt(left as Draft);
    expect([...kept.values()].map(({ tab }) => tab)).toEqual(['two']);
    await tab('two').adopt([...kept.values()][0] as Draft);
    expect(kept.size).toBe(1);
  });

  it('is forgotten by its tab alone', async () => {
    await tab('one').keep(draft('a', 'one'), false);
    await tab('two').keep(draft('a', 'two', 2), false);
    await tab('one').forget(place, 'a');
    expect((await tab('one').all()).map(({ text }) => text)).toEqual(['two']);
  });
});

it('the last changed comes first', async () => {
  await tab('one').keep(draft('a', 'old', 5), false);
  await tab('one').keep(draft('b', 'new', 9), false);
  expect((await tab('one').all()).map(({ path }) => path)).toEqual(['b', 'a']);
});
