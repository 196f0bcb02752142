import { describe, expect, it } from 'vitest';
import type { Transfer, TransferItem } from '../api/types';
import type { Progress } from '../state/transfers.svelte';
import { en as managing } from '../text/managing.en';
import { en as words } from '../text/sending.en';
import { amountOf, fractionOf, goingWords, nameOf, SILENCE_MS, stateWords } from './standing';

const SPEECH = { words, managing, language: 'en' } as const;

const item = (filename: string, more: Partial<TransferItem> = {}): TransferItem => ({
  id: filename,
  filename,
  kind: 'file',
  size: 1_000_000,
  state: 'receiving',
  ...more,
});

const transfer = (items: TransferItem[], more: Partial<Transfer> = {}) =>
  ({ state: 'in_progress', items, ...more }) as Transfer;

const progress = (more: Partial<Progress> = {}): Progress => ({
  received: 500_000,
  total: 1_000_000,
  perSecond: 100_000,
  at: 1_000,
  ...more,
});

describe('what a transfer is called', () => {
  it.each<[string, Partial<Transfer>, TransferItem[]]>([
    ['a', {}, [item('a')]],
    ['a and 2 more', {}, [item('a'), item('b'), item('c')]],
    ['b', {}, [item('a', { state: 'rejected' }), item('b')]],
    ['a and 1 more', {}, [item('a', { state: 'rejected' }), item('b', { state: 'rejected' })]],
    ['Holidays', { label: 'Holidays' }, [item('a')]],
    ['', {}, []],
  ])('%s', (name, more, items) => expect(nameOf(transfer(items, more), SPEECH)).toBe(name));
});

describe('how far it is', () => {
  it('is what was told last, else what its items have', () => {
    const one = transfer([item('a', { received_size: 250_000 }), item('b', { state: 'rejected' })]);
    expect(amountOf(one, undefined)).toEqual({ came: 250_000, all: 1_000_000 });
    expect(amountOf(one, progress({ received: 2_000_000 }))).toEqual({ came: 1_000_000, all: 1_000_000 });
    expect(fractionOf(one, undefined)).toBe(0.25);
  });

  it('is counted in items where there are no bytes', () => {
    const empty = { size: 0, received_size: 0 };
    const one = transfer([item('a', { ...empty, state: 'finalized' }), item('b', empty)]);
    expect(fractionOf(one, undefined)).toBe(0.5);
  });
});

describe('how it stands, in words', () => {
  const one = transfer([item('a')]);

  it.each<[string, Partial<Transfer>, Progress | undefined, number]>([
    ['500 KB of 1 MB · 100 KB/s · 5 s left', {}, progress(), 1_500],
    [
      '500 KB of 1 MB · 100 KB/s · 5 s left · through the relay · as fast as the network carries',
      {},
      progress({ way: 'relayed', limit: 'network' }),
      1_500,
    ],
    ['500 KB of 1 MB · 100 KB/s · 5 s left · direct', { way: 'direct' }, progress(), 1_500],
    ['500 KB of 1 MB · Nothing comes just now: goes on by itself', {}, progress(), 1_001 + SILENCE_MS],
    ['Paused by the sender · 500 KB of 1 MB', { paused_by: 'sender' }, progress(), 1_500],
    ['Begins · 0 bytes of 1 MB', { state: 'passcode_open' }, undefined, 0],
  ])('%s', (said, more, told, now) => expect(goingWords({ ...one, ...more }, told, now, SPEECH)).toBe(said));

  it('has the reason with the end', () => {
    expect(stateWords({ ...one, state: 'completed' }, SPEECH)).toBe('Arrived');
    expect(stateWords({ ...one, state: 'rejected', reason: 'no room' }, SPEECH)).toBe('Rejected: no room');
  });
});
