import { describe, expect, it } from 'vitest';
import type { Permission } from '../api/types';
import { joinWords, PERMISSIONS, presetOf, PRESETS, withPermission } from './rights';

describe('usual sets', () => {
  it.each(Object.entries(PRESETS))('%s is known by its rights, in any order', (name, permissions) => {
    expect(presetOf([...permissions].reverse())).toBe(name);
  });

  it.each([[[]], [['download']], [['read', 'write']]] as Permission[][][])('%j is none', (permissions) => {
    expect(presetOf(permissions ?? [])).toBeUndefined();
  });
});

describe('single rights', () => {
  it('bring looking with them', () => {
    expect(withPermission([], 'write', true)).toEqual(['read', 'write']);
  });

  it('all go when looking goes', () => {
    expect(withPermission(PERMISSIONS, 'read', false)).toEqual([]);
  });

  it('keep their order', () => {
    expect(withPermission(['read', 'write'], 'download', true)).toEqual(['read', 'download', 'write']);
    expect(withPermission(['read', 'download', 'write'], 'download', false)).toEqual(['read', 'write']);
  });
});

it('words are joined as the language does', () => {
  expect(joinWords(['look', 'save', 'change'], 'en')).toBe('look, save and change');
  expect(joinWords(['voir', 'enregistrer'], 'fr')).toBe('voir et enregistrer');
});
