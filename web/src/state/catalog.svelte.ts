// The machines and shares that the visitor can see.
import { ApiFailure } from '../api/client';
import { getDevices, getShares } from '../api/catalog';
import type { Device, Share } from '../api/types';
import { byNearness } from '../devices/machines';
import { session } from './session.svelte';

export class Catalog {
  devices = $state.raw<Device[]>([]);
  shares = $state.raw<Share[]>([]);
  /** Where comes what is sent to the visitor's own machines. Shares too, but not where people share things. */
  inboxes = $state.raw<Share[]>([]);
  loaded = $state(false);
  failure = $state.raw<ApiFailure | null>(null);

  async load(): Promise<void> {
    try {
      const [{ devices }, { shares }] = await Promise.all([getDevices(), getShares()]);
      this.devices = nearestFirst(devices);
      const ordered = inOrderOf(this.devices, shares);
      this.shares = ordered.filter(({ inbox }) => !inbox);
      this.inboxes = ordered.filter(({ inbox }) => inbox);
      this.failure = null;
      this.loaded = true;
    } catch (error) {
      if (!(error instanceof ApiFailure)) throw error;
      this.failure = error;
    }
  }

  device(id: string): Device | undefined {
    return this.devices.find((device) => device.id === id);
  }

  share(id: string): Share | undefined {
    return [...this.shares, ...this.inboxes].find((share) => share.id === id);
  }

  inboxOf(device: string): Share | undefined {
    return this.inboxes.find((share) => share.device_id === device);
  }

  sharesOf(device: string): Share[] {
    return this.shares.filter((share) => share.device_id === device);
  }
}

function nearestFirst(devices: Device[]): Device[] {
  const nearness = byNearness(session.me?.principal ?? '');
  const near = (device: Device) => ({ ...device, owner: device.owner_principal_id });
  return devices.toSorted((a, b) => nearness(near(a), near(b)));
}

/** The shares of the nearest machine first; on each machine as they came. */
function inOrderOf(devices: Device[], shares: Share[]): Share[] {
  const place = new Map(devices.map(({ id }, at) => [id, at]));
  const of = ({ device_id }: Share) => place.get(device_id) ?? devices.length;
  return shares.toSorted((a, b) => of(a) - of(b));
}

export const catalog = new Catalog();
