import { describe, expect, it } from 'vitest';
import type { Transfer } from '../api/types';
import { again } from './again';

const source = { share_id: 's', paths: ['a', 'b/c'] };
const sent = (more: Partial<Transfer>) =>
  ({ receiver_device_id: 'd', message: 'hello', source, destination_path: 'in', ...more }) as Transfer;

describe('the same offer once more', () => {
  it('goes to the person it went to, on whichever machine', () => {
    expect(again(sent({ receiver_principal_id: 'p' }))).toEqual({
      source,
      message: 'hello',
      items: [],
      receiver_principal_id: 'p',
    });
  });

  it('names a folder only in a share', () => {
    const to = (more: Partial<Transfer>) => {
      const offer = again(sent(more));
      return [offer?.receiver_device_id, offer?.receiver_share_id, offer?.destination_path];
    };
    expect(to({ receiver_share_id: 'x' })).toEqual(['d', 'x', 'in']);
    expect(to({})).toEqual(['d', undefined, undefined]);
  });

  it('is not known where a program sent it', () => expect(again(sent({ source: null }))).toBeUndefined());
});
