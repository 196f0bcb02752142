// The code that another machine's terminal shows.

export const CODE_DIGITS = 6;

/** The digits of what was typed, and no more than a code has: spaces and dashes are how people read it aloud. */
export function codeDigits(typed: string): string {
  return typed.replace(/\D/g, '').slice(0, CODE_DIGITS);
}

/** As it is shown and read aloud: "482 913". */
export function groupedCode(digits: string): string {
  return digits.length > 3 ? `${digits.slice(0, 3)} ${digits.slice(3)}` : digits;
}

/**
 * The address that another machine is given: the one in the address bar, unless that names only this machine itself.
 */
export function addressForOthers(page: URL, privateUrls: readonly string[]): string {
  const own = (url: string) => /^(localhost|.*\.localhost|127\.[\d.]+|\[::1\])$/.test(new URL(url).hostname);
  if (page.protocol === 'https:' && !own(page.href)) return page.origin;
  const other = privateUrls.find((url) => URL.canParse(url) && !own(url));
  return other ? new URL(other).origin : page.origin;
}
