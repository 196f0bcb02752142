import { expect, it } from 'vitest';
import type { AuditEntry } from '../api/types';
import { en } from '../text/en';
import { actionWords, addressWords, subjectOf, type Names } from './entry';

const entry = (more: Partial<AuditEntry>): AuditEntry => ({
  seq: 1,
  time: '2026-11-21T10:00:00Z',
  actor: null,
  action: 'grant.put',
  allowed: true,
  device: null,
  share: null,
  address: null,
  request_id: '',
  detail: null,
  hash: '',
  ...more,
});

const known = (names: Record<string, string>) => (id: string) => names[id];
const names: Names = {
  person: known({ p: 'Inès' }),
  room: known({ r: 'Family' }),
  device: known({ d: 'Attic' }),
  share: known({ s: 'Photos' }),
};

it('an action without words of ours keeps its own', () => {
  expect(actionWords(entry({}), en)).toBe('Rights were given');
  expect(actionWords(entry({ action: 'moon.landed' }), en)).toBe('moon.landed');
});

it('the machine itself is called so', () => {
  const words = ['127.0.0.1', '::1', '192.168.1.20', '::12'].map((address) => addressWords(address, en));
  expect(words).toEqual(['on this machine', 'on this machine', 'from 192.168.1.20', 'from ::12']);
});

it.each([
  [{}, []],
  [
    { share: 's', device: 'd', detail: { subject: { kind: 'principal', id: 'p' } } },
    ['Photos', 'Attic', 'Inès'],
  ],
  [{ share: 's', detail: { subject: { kind: 'room', id: 'r' } } }, ['Photos', 'Family']],
  [{ detail: { room: 'r', person: 'p' } }, ['Inès', 'Family']],
  [{ share: 'unknown', device: 'ybndrfg8ejkmcpqx' }, ['ybndrfg8']],
  [{ detail: { name: 'Garage', person: 7 } }, ['Garage']],
] as [Partial<AuditEntry>, string[]][])('%j is about %j', (more, about) => {
  expect(subjectOf(entry(more), names)).toEqual(about);
});
