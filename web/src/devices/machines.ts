// The machines as the page shows them: what the catalog tells of each, and what its pairing does.
import type { Device, PairedDevice } from '../api/types';

export interface Machine {
  id: string;
  name: string;
  platform: string;
  /** Whose it is; empty where the machine does not tell. */
  owner: string;
  visible: boolean;
  /** True for the machine that serves this page. */
  local: boolean;
  online: boolean;
  lastSeen: string | null;
  pairedAt: string | null;
  /** True if the visitor may name, hide and remove it. */
  manageable: boolean;
}

/** Every machine once, the nearest first. */
export function machinesOf(devices: Device[], paired: PairedDevice[], me: string): Machine[] {
  const pairing = new Map(paired.map((device) => [device.id, device]));
  const seen = devices.map((device) => fromCatalog(device, pairing.get(device.id)));
  const known = new Set(devices.map(({ id }) => id));
  const unseen = paired.filter(({ id }) => !known.has(id)).map(fromPairing);
  return [...seen, ...unseen].sort(byNearness(me));
}

/** This machine first, then the visitor's own, then the others; those that answer before the rest. */
export function byNearness(me: string): (a: Near, b: Near) => number {
  const rank = ({ local, owner }: Near) => (local ? 0 : owner === me ? 1 : 2);
  return (a, b) => rank(a) - rank(b) || Number(b.online) - Number(a.online);
}

type Near = Pick<Machine, 'local' | 'online' | 'owner'>;

function fromCatalog(device: Device, paired: PairedDevice | undefined): Machine {
  return {
    id: device.id,
    name: device.name,
    platform: paired?.platform ?? '',
    owner: device.owner_principal_id,
    visible: device.visible,
    local: device.local,
    online: device.online,
    lastSeen: device.last_seen,
    pairedAt: paired?.paired_at ?? null,
    manageable: paired !== undefined,
  };
}

/** A machine that was paired and has not been heard of since. */
function fromPairing(paired: PairedDevice): Machine {
  return {
    id: paired.id,
    name: paired.name,
    platform: paired.platform,
    owner: paired.owner_principal_id,
    visible: paired.visible,
    local: paired.this,
    online: false,
    lastSeen: null,
    pairedAt: paired.paired_at,
    manageable: true,
  };
}
