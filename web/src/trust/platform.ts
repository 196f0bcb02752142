// Which system a visitor is on, as far as the steps to trust a machine differ. A guess that can be corrected.

export const PLATFORMS = ['windows', 'macos', 'ios', 'android', 'linux', 'firefox'] as const;
export type Platform = (typeof PLATFORMS)[number];

export function guessPlatform(userAgent: string, touchPoints: number): Platform {
  // An iPad calls itself a Mac; no Mac has a touch screen.
  if (/iPhone|iPad|iPod/.test(userAgent) || (/Macintosh/.test(userAgent) && touchPoints > 1)) return 'ios';
  if (/Android/.test(userAgent)) return 'android';
  if (/Firefox\//.test(userAgent)) return 'firefox';
  if (/Windows/.test(userAgent)) return 'windows';
  return /Macintosh/.test(userAgent) ? 'macos' : 'linux';
}
