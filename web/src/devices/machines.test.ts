import { expect, it } from 'vitest';
import type { Device, PairedDevice } from '../api/types';
import { machinesOf } from './machines';

const device = (id: string, more: Partial<Device> = {}): Device => ({
  id,
  name: id,
  owner_principal_id: 'someone',
  visible: true,
  online: true,
  local: false,
  last_seen: null,
  ...more,
});

const paired = (id: string, owner: string, more: Partial<PairedDevice> = {}): PairedDevice => ({
  id,
  name: id,
  platform: 'linux',
  owner_principal_id: owner,
  visible: true,
  this: false,
  paired_at: '2026-11-21T10:00:00Z',
  ...more,
});

it('this machine is first, then one’s own, then the others; those that answer before the rest', () => {
  const devices = [
    device('theirs', { owner_principal_id: 'them' }),
    device('away', { owner_principal_id: 'me', online: false }),
    device('mine', { owner_principal_id: 'me' }),
    device('here', { local: true, owner_principal_id: 'me' }),
  ];
  expect(machinesOf(devices, [], 'me').map(({ id }) => id)).toEqual(['here', 'mine', 'away', 'theirs']);
});

it('a machine that has not been heard of since it was paired is there all the same', () => {
  const [, quiet] = machinesOf([device('here', { local: true })], [paired('quiet', 'me')], 'me');
  expect(quiet).toMatchObject({ id: 'quiet', online: false, lastSeen: null, manageable: true });
});

it('only what the pairing tells of can be changed', () => {
  const devices = [device('mine', { visible: false }), device('theirs')];
  const machines = machinesOf(devices, [paired('mine', 'me', { visible: false })], 'me');
  expect(machines.map(({ id, manageable, visible }) => [id, manageable, visible])).toEqual([
    ['mine', true, false],
    ['theirs', false, true],
  ]);
});
