// The links that the visitor made and that lead somewhere still.
import { endDrop, getDrops } from '../api/drops';
import type { OwnDrop } from '../api/types';

class Links {
  all = $state.raw<OwnDrop[]>([]);

  async load(): Promise<void> {
    // Without them the page says less, and nothing wrong.
    const { drops } = await getDrops().catch(() => ({ drops: [] }));
    this.all = drops;
  }

  async end({ id }: OwnDrop): Promise<void> {
    await endDrop(id);
    await this.load();
  }
}

export const links = new Links();
