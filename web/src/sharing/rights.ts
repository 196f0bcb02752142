// Rights as people choose them: a few usual sets by name, or single ones.
import type { Permission } from '../api/types';

export const PERMISSIONS: readonly Permission[] = [
  'read',
  'download',
  'write',
  'request_send',
  'accept_incoming',
  'manage_share',
];

export type Preset = 'look' | 'save' | 'change' | 'all';

export const PRESETS: Readonly<Record<Preset, readonly Permission[]>> = {
  look: ['read'],
  save: ['read', 'download'],
  change: ['read', 'download', 'write', 'request_send'],
  all: PERMISSIONS,
};

/** The usual set that these rights are, if they are one. */
export function presetOf(permissions: readonly Permission[]): Preset | undefined {
  const names = Object.keys(PRESETS) as Preset[];
  return names.find(
    (name) =>
      PRESETS[name].length === permissions.length &&
      PRESETS[name].every((permission) => permissions.includes(permission)),
  );
}

/** The rights with one switched on or off, in their usual order. Whatever one may do, one may look. */
export function withPermission(
  permissions: readonly Permission[],
  permission: Permission,
  on: boolean,
): Permission[] {
  const wanted = new Set(permissions);
  if (on) wanted.add(permission).add('read');
  else if (permission === 'read') wanted.clear();
  else wanted.delete(permission);
  return PERMISSIONS.filter((one) => wanted.has(one));
}

/** Joins parts as a sentence does: "look, save copies and change". */
export function joinWords(parts: string[], language: string): string {
  return new Intl.ListFormat(language === 'en' ? 'en-GB' : language, {
    style: 'long',
    type: 'conjunction',
  }).format(parts);
}
