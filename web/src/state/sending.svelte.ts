// Which window about sending is open, for all of the page: small, since all of it has it. The windows are fetched when the
// first one is.
import type { Transfer } from '../api/types';

export type SendingWindow = { kind: 'passcode'; transfer: Transfer };

class Sending {
  window = $state.raw<SendingWindow | null>(null);

  /** Asks for the passcode that the receiver told. */
  askPasscode = (transfer: Transfer) => (this.window = { kind: 'passcode', transfer });

  /** Closes this window, unless another one has taken its place. */
  close(window: SendingWindow): void {
    if (this.window === window) this.window = null;
  }
}

export const sending = new Sending();
