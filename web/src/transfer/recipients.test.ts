import { describe, expect, it } from 'vitest';
import type { Device } from '../api/types';
import { groupsOf } from './recipients';

const device = (id: string, owner: string, online: boolean) =>
  ({ id, name: id, owner_principal_id: owner, online }) as Device;

const DEVICES = [
  device('attic', 'me', true),
  device('cellar', 'me', false),
  device('desk', 'me', true),
  device('laptop', 'ana', false),
  device('phone', 'ana', true),
  device('shed', 'ben', false),
  device('vault', 'cy', true),
];

const groups = (from: string | undefined, closed: string[] = []) =>
  groupsOf({
    devices: DEVICES,
    mayReach: ({ id }) => !closed.includes(id),
    nameOf: (person) => ({ ana: 'Ana', ben: 'Ben', cy: 'Cy' })[person] ?? '',
    me: 'me',
    from,
  });

describe('to whom something can be sent', () => {
  it('is grouped by person: who answers first, one’s own before others’', () => {
    const found = groups('attic').map(({ name, recipients }) => [name, ...recipients.map((one) => one.key)]);
    expect(found).toEqual([
      ['', 'device desk', 'device cellar'],
      ['Ana', 'person ana', 'device phone', 'device laptop'],
      ['Cy', 'person cy'],
      ['Ben', 'person ben'],
    ]);
  });

  it('names the machine that it waits for', () => {
    const [mine, ana, , ben] = groups(undefined);
    expect(mine?.recipients.map(({ asleep }) => asleep)).toEqual([undefined, undefined, 'cellar']);
    expect(ana?.recipients[0]).toMatchObject({ online: true, asleep: undefined });
    expect(ben?.recipients[0]).toMatchObject({
      asleep: 'shed',
      machine: 'shed',
      to: { receiver_device_id: 'shed' },
    });
  });

  it('leaves out where one may not send, and where the files are', () => {
    const keys = groups('desk', ['vault', 'laptop', 'attic']).flatMap(({ recipients }) =>
      recipients.map(({ key }) => key),
    );
    expect(keys).toEqual(['person ana', 'device cellar', 'person ben']);
  });
});
