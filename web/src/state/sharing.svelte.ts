// Which share's rights are being looked at: one window for the whole page.
import type { Share } from '../api/types';
import { session } from './session.svelte';

class Sharing {
  share = $state.raw<Share | null>(null);
  open = $state(false);

  /** True if the visitor may see and change who can see it. */
  may(share: Share): boolean {
    return share.permissions.includes('manage_share') && session.me?.read_only === false;
  }

  show(share: Share): void {
    this.share = share;
    this.open = true;
  }
}

export const sharing = new Sharing();
