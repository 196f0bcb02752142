// On which way each machine was last reached.
import { getPath } from '../api/devices';
import type { DevicePath } from '../api/types';

export class Paths {
  #known = $state.raw<Record<string, DevicePath>>({});

  of(device: string): DevicePath | undefined {
    return this.#known[device];
  }

  /** Asks anew. What cannot be told is not known any more. */
  async load(devices: string[]): Promise<void> {
    const found = await Promise.all(
      devices.map(async (id) => [id, await getPath(id).catch(() => undefined)] as const),
    );
    const told = found.filter((pair): pair is [string, DevicePath] => pair[1] !== undefined);
    const others = Object.entries(this.#known).filter(([id]) => !devices.includes(id));
    this.#known = Object.fromEntries([...others, ...told]);
  }
}

export const paths = new Paths();
