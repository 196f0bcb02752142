// Whether somebody is at the screen. What the page asks by itself must not keep a session alive for ever.

/** Without a move for so long, the visitor may have gone. */
const PRESENT_MS = 120_000;
const SIGNS = ['pointerdown', 'pointermove', 'keydown', 'wheel', 'touchmove'];

let lastSign = Date.now();
for (const sign of SIGNS)
  addEventListener(sign, () => (lastSign = Date.now()), { passive: true, capture: true });

export function isPresent(now = Date.now()): boolean {
  return document.visibilityState === 'visible' && now - lastSign < PRESENT_MS;
}
