// The secret of an invite, from the address it was opened with. It is kept for the tab alone, so that a reload and the
// choice of privacy on the way do not lose it.

const KEY = 'lanthorn.invite';

/** The secret, taken out of the address; empty where there is none. */
export function takeInvite(): string {
  const secret = location.hash.slice(1);
  if (!secret) return sessionStorage.getItem(KEY) ?? '';
  sessionStorage.setItem(KEY, secret);
  history.replaceState(history.state, '', location.pathname + location.search);
  return secret;
}

/** Forgets it: it is used up. */
export function dropInvite(): void {
  sessionStorage.removeItem(KEY);
}
