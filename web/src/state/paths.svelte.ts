// On which way each machine was last reached.
import { getPath, greet } from '../api/devices';
import type { DevicePath } from '../api/types';

export class Paths {
  #known = $state.raw<Record<string, DevicePath>>({});

  of(device: string): DevicePath | undefined {
    return this.#known[device];
  }

  /** Asks anew. What cannot be told is not known any more. */
  async load(devices: string[]): Promise<void> {
    const found = await Promise.all(
      devices.map(async (id) => [id, await wayTo(id).catch(() => undefined)] as const),
    );
    const told = found.filter((pair): pair is [string, DevicePath] => pair[1] !== undefined);
    const others = Object.entries(this.#known).filter(([id]) => !devices.includes(id));
    this.#known = Object.fromEntries([...others, ...told]);
  }
}

/** The way to a machine; it is greeted first if nobody has used one lately. */
async function wayTo(id: string): Promise<DevicePath> {
  const path = await getPath(id);
  if (path.lane !== 'none') return path;
  await greet(id).catch(() => undefined);
  return getPath(id);
}

export const paths = new Paths();
