// The four digits that the receiver tells the sender by another way.

export const DIGITS = 4;
const ALL = 10 ** DIGITS;

export const isPasscode = (text: string) => /^\d{4}$/.test(text);

/** Four digits that nobody can guess, each of them as likely as any other. */
export function proposePasscode(random: (into: Uint16Array<ArrayBuffer>) => void = draw): string {
  const drawn = new Uint16Array(1);
  // What is above the last whole run of numbers would make the low ones likelier.
  const fair = 2 ** 16 - (2 ** 16 % ALL);
  do random(drawn);
  while ((drawn[0] ?? 0) >= fair);
  return String((drawn[0] ?? 0) % ALL).padStart(DIGITS, '0');
}

const draw = (into: Uint16Array<ArrayBuffer>) => void crypto.getRandomValues(into);
