// Who is signed in, and how private the connection is. The first thing the page asks.
import { getStatus, login, logout } from '../api/auth';
import { ApiFailure, onSignedOut } from '../api/client';
import type { Me, Status } from '../api/types';

const OPEN_ACCEPTED = 'lanthorn.open-accepted';

export class SessionState {
  status = $state.raw<Status | null>(null);
  failure = $state.raw<ApiFailure | null>(null);
  /** True once the visitor chose to go on without privacy, in this tab. */
  openAccepted = $state(sessionStorage.getItem(OPEN_ACCEPTED) === '1');
  /** True if the session ended while the page was in use. */
  ended = $state(false);

  readonly me: Me | null = $derived(this.status?.me ?? null);

  constructor() {
    onSignedOut(() => this.#forget());
  }

  async load(): Promise<void> {
    try {
      this.status = await getStatus();
      this.failure = null;
    } catch (error) {
      if (!(error instanceof ApiFailure)) throw error;
      this.failure = error;
    }
  }

  async signIn(pin: string): Promise<void> {
    this.welcome(await login(pin));
  }

  /** Takes in who has just signed in or set up. */
  welcome(me: Me): void {
    this.ended = false;
    if (this.status) this.status = { ...this.status, set_up: true, me };
  }

  async signOut(): Promise<void> {
    await logout();
    if (this.status) this.status = { ...this.status, me: null };
  }

  acceptOpen(): void {
    sessionStorage.setItem(OPEN_ACCEPTED, '1');
    this.openAccepted = true;
  }

  #forget(): void {
    if (!this.status?.me) return;
    this.ended = true;
    this.status = { ...this.status, me: null };
  }
}

export const session = new SessionState();
