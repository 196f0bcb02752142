// On which way a machine is reached, in words. Pure.
import type { DevicePath } from '../api/types';
import { formatCount } from '../lib/format';
import type { Words } from '../text/en';
import type { Language } from '../text/text.svelte';

/** "Direct, on the network · 0.4 ms"; empty for this machine itself, and where nothing is known. */
export function wayWords(path: DevicePath | undefined, { devices }: Words, language: Language): string {
  if (!path || path.lane === 'local') return '';
  const trip = path.round_trip_ms;
  if (trip === undefined || trip === null) return devices.path[path.lane];
  return `${devices.path[path.lane]} · ${devices.roundTrip(tripWords(trip, language))}`;
}

/** As exact as it matters: nothing takes no time at all. */
function tripWords(ms: number, language: Language): string {
  if (ms < 0.05) return `< ${formatCount(0.1, language)}`;
  return formatCount(ms < 10 ? Math.round(ms * 10) / 10 : Math.round(ms), language);
}

/** True for a way that a better one would replace. */
export const isDetour = (path: DevicePath | undefined) => path?.lane === 'relayed' || path?.lane === 'none';
