import { describe, expect, it } from 'vitest';
import type { Effective, Permission, Subject } from '../api/types';
import { en } from '../text/en';
import { fr } from '../text/fr';
import { abilities, dryRunSentence, type DryRun } from './sentences';

const can = (principal: string, ...permissions: Permission[]): Effective => ({
  principal,
  share: 's',
  permissions,
  because: [],
});

const run = (subject: Subject, then: Effective[], end = ''): DryRun => ({
  grant: { share: 's', subject, permissions: ['read', 'download'], expires_at: null },
  then,
  nameOf: () => (subject.kind === 'room' ? 'Family' : 'Inès'),
  personName: (id) => id,
  end,
  words: en,
  language: 'en',
});

it('rights are said in their usual order, whatever theirs', () => {
  expect(abilities(['download', 'read'], en, 'en')).toBe('look and save copies');
  expect(abilities(['read', 'download', 'manage_share'], fr, 'fr')).toBe(
    'voir, enregistrer des copies et le renommer, le partager avec d’autres et cesser le partage',
  );
});

describe('before a grant is given', () => {
  it.each([
    [
      { kind: 'principal', id: 'i' },
      [can('i', 'read', 'download')],
      '',
      'Inès will be able to look and save copies.',
    ],
    [
      { kind: 'principal', id: 'i' },
      [can('i', 'read', 'download')],
      '24 Dec',
      'Inès will be able to look and save copies, until 24 Dec.',
    ],
    [
      { kind: 'room', id: 'r' },
      [],
      '',
      'Nobody is in Family yet. Who joins will be able to look and save copies.',
    ],
    [
      { kind: 'room', id: 'r' },
      [can('a', 'read', 'download'), can('b', 'read', 'download', 'write')],
      '',
      '2 people in Family will be able to look and save copies. b can do more by other rights.',
    ],
    [
      { kind: 'everyone' },
      [can('a', 'read', 'download')],
      '',
      'Everyone paired, now one person, will be able to look and save copies.',
    ],
  ] as [Subject, Effective[], string, string][])('%j: %#', (subject, then, end, sentence) => {
    expect(dryRunSentence(run(subject, then, end))).toBe(sentence);
  });
});
