// What makes a PIN, and how easily it is guessed. Pure but for the random numbers of the browser.

export type PinStrength = 'weak' | 'fair' | 'strong';

const SHAPE = /^[0-9]{4,12}$/;
/** Six digits against ten guesses a day. */
const SUGGESTED_DIGITS = 6;

export function isPin(pin: string): boolean {
  return SHAPE.test(pin);
}

/** How easily a PIN is guessed by somebody who tries the usual ones first. */
export function pinStrength(pin: string): PinStrength {
  if (pin.length < 5 || isPattern(pin)) return 'weak';
  return pin.length < 6 ? 'fair' : 'strong';
}

/** One digit, a ladder, a repeated block, or a date: what people try first. */
function isPattern(pin: string): boolean {
  const digits = Array.from(pin, Number);
  const steps = new Set(digits.slice(1).map((digit, i) => (digit - (digits[i] ?? 0) + 10) % 10));
  const ladder = steps.size <= 1 && (steps.has(0) || steps.has(1) || steps.has(9));
  const date = /^(19|20)\d{2}((0[1-9]|1[0-2])(\d{2})?)?$|^\d{2}(0[1-9]|1[0-2])(19|20)\d{2}$/.test(pin);
  return ladder || date || /^(\d{1,3})\1+$/.test(pin);
}

/** Six digits that are no pattern. */
export function suggestPin(): string {
  for (;;) {
    let pin = '';
    while (pin.length < SUGGESTED_DIGITS) {
      const [byte = 255] = crypto.getRandomValues(new Uint8Array(1));
      // Above the last multiple of ten, some digits would come up more often than others.
      if (byte < 250) pin += String(byte % 10);
    }
    if (pinStrength(pin) === 'strong') return pin;
  }
}
