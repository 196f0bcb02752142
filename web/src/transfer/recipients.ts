// To whom something can be sent: people, each with their machines, one's own too. Pure.
import type { Device, OfferTransfer } from '../api/types';

/** A person, or one machine. */
export interface Recipient {
  key: string;
  name: string;
  online: boolean;
  /** The one machine of a person who has no other. */
  machine?: string;
  /** What is away still, so that it waits; none for a person with a machine that answers. */
  asleep?: string;
  /** True for a person: the coordinator chooses the machine, and they may choose another. */
  person: boolean;
  to: Pick<OfferTransfer, 'receiver_device_id' | 'receiver_principal_id'>;
}

export interface Group {
  person: string;
  /** Empty for the visitor. */
  name: string;
  recipients: Recipient[];
}

interface World {
  devices: readonly Device[];
  /** Whether the visitor may send to this machine. */
  mayReach: (device: Device) => boolean;
  nameOf: (person: string) => string;
  me: string;
  /** The machine on which the files lie. */
  from: string | undefined;
}

/** Who answers now comes first, and before others the visitor's own machines. */
export function groupsOf({ devices, mayReach, nameOf, me, from }: World): Group[] {
  const reached = devices.filter((device) => device.id !== from && mayReach(device));
  const people = [...new Set(reached.map(({ owner_principal_id: owner }) => owner))];
  const groups = people.map((person) => {
    const theirs = reached.filter(({ owner_principal_id: owner }) => owner === person);
    const machines = theirs.map(machine).toSorted(onlineFirst);
    if (person === me) return { person, name: '', recipients: machines };
    return { person, name: nameOf(person), recipients: withPerson(person, nameOf(person), machines) };
  });
  return groups.toSorted(
    (a, b) =>
      Number(anyOnline(b)) - Number(anyOnline(a)) ||
      Number(b.person === me) - Number(a.person === me) ||
      a.name.localeCompare(b.name),
  );
}

function machine({ id, name, online }: Device): Recipient {
  return {
    key: `device ${id}`,
    name,
    online,
    asleep: online ? undefined : name,
    person: false,
    to: { receiver_device_id: id },
  };
}

/** Somebody with one machine is shown once: the person or the machine, it is the same. */
function withPerson(id: string, name: string, machines: Recipient[]): Recipient[] {
  const online = machines.some((one) => one.online);
  const person: Recipient = {
    key: `person ${id}`,
    name,
    online,
    asleep: online ? undefined : (machines[0]?.name ?? name),
    person: true,
    to: { receiver_principal_id: id },
  };
  const [only, ...more] = machines;
  return only && more.length === 0 ? [{ ...person, machine: only.name, to: only.to }] : [person, ...machines];
}

const onlineFirst = (a: Recipient, b: Recipient) =>
  Number(b.online) - Number(a.online) || a.name.localeCompare(b.name);

const anyOnline = ({ recipients }: Group) => recipients.some(({ online }) => online);
