import { describe, expect, it } from 'vitest';
import type { Share } from '../api/types';
import { spotName, spotOf } from './places';

const share = (id: string, name: string, inbox = false) => ({ id, name, inbox }) as Share;
const named = ({ inbox, name }: Share) => (inbox ? 'Inbox' : name);
const SHARES = [share('i', 'inbox', true), share('a', 'Films'), share('b', 'Films/old')];

describe('a folder of a machine as it is written', () => {
  it.each([
    ['Inbox', 'i', ''],
    ['Inbox/2026/May', 'i', '2026/May'],
    ['/Films/new/', 'a', 'new'],
    ['Films/old', 'b', ''],
    ['Films/old/x', 'b', 'x'],
    ['Films/older', 'a', 'older'],
  ])('%s', (typed, id, path) => {
    const spot = spotOf(typed, SHARES, named);
    expect([spot?.share.id, spot?.path]).toEqual([id, path]);
    if (spot) expect(spotName(spot, named)).toBe(typed.replace(/^\/|\/$/g, ''));
  });

  it('is none where no share has the name', () => {
    expect(spotOf('Film', SHARES, named)).toBeUndefined();
    expect(spotOf('', SHARES, named)).toBeUndefined();
  });
});
