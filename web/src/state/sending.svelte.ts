// Which window about sending is open, for all of the page: small, since all of it has it. The windows are fetched when the
// first one is.
import type { Transfer } from '../api/types';
import type { LocalItem } from '../transfer/local';
import { catalog } from './catalog.svelte';
import type { Chosen } from './entries';
import { session } from './session.svelte';

export type SendingWindow =
  | { kind: 'passcode'; transfer: Transfer }
  | { kind: 'send'; chosen: Chosen[] }
  | { kind: 'send-local'; local: LocalItem[] }
  | { kind: 'link'; chosen: Chosen[] };

/** Whether these may be sent: what one may save can be given away, from one share at a time. */
export function maySend(chosen: readonly Chosen[]): boolean {
  const [first] = chosen;
  const share = first && catalog.share(first.place.share);
  return (
    share !== undefined &&
    share.permissions.includes('download') &&
    session.me?.read_only === false &&
    chosen.every(({ place, entry }) => place.share === share.id && isSendable(entry.type))
  );
}

const isSendable = (type: Chosen['entry']['type']) => type === 'file' || type === 'folder';

class Sending {
  window = $state.raw<SendingWindow | null>(null);

  /** Asks for the passcode that the receiver told. */
  askPasscode = (transfer: Transfer) => (this.window = { kind: 'passcode', transfer });

  /** Asks to whom these shall go. */
  send = (chosen: Chosen[]) => (this.window = { kind: 'send', chosen });

  /** Asks to whom these files of this device shall go. */
  sendLocal = (local: LocalItem[]) => (this.window = { kind: 'send-local', local });

  /** Has these wait behind a link. */
  link = (chosen: Chosen[]) => (this.window = { kind: 'link', chosen });

  /** Closes this window, unless another one has taken its place. */
  close(window: SendingWindow): void {
    if (this.window === window) this.window = null;
  }
}

export const sending = new Sending();
