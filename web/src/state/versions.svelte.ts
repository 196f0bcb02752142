// Which file's versions are being looked at: one window for the whole page.
import type { Place } from '../api/files';

class Versions {
  of = $state.raw<{ place: Place; path: string } | null>(null);
  open = $state(false);

  show(place: Place, path: string): void {
    this.of = { place, path };
    this.open = true;
  }
}

export const versions = new Versions();
