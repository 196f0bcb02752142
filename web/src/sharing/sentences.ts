// What rights mean, in sentences. Pure: names, moment and words are handed in.
import type { Effective, Permission, PutGrant, Subject } from '../api/types';
import type { Words } from '../text/en';
import { joinWords, PERMISSIONS } from './rights';

/** What these rights let one do: "look and save copies". */
export function abilities(permissions: readonly Permission[], words: Words, language: string): string {
  const parts = PERMISSIONS.filter((one) => permissions.includes(one)).map((one) => words.sharing.can[one]);
  return joinWords(parts, language);
}

export interface DryRun {
  grant: PutGrant;
  /** What those it is for could then do. */
  then: Effective[];
  nameOf: (subject: Subject) => string;
  personName: (id: string) => string;
  /** The end of the grant, as it is shown. */
  end: string;
  words: Words;
  language: string;
}

/** What a grant would do, before it is given. */
export function dryRunSentence(run: DryRun): string {
  const { grant, then, words, language } = run;
  const what = abilities(grant.permissions, words, language);
  const main = mainSentence(run, what);
  // Others of their rights may reach further than this one.
  const more = then.filter(({ permissions }) =>
    permissions.some((permission) => !grant.permissions.includes(permission)),
  );
  if (more.length === 0) return main;
  const names = joinWords(
    more.map(({ principal }) => run.personName(principal)),
    language,
  );
  return `${main} ${words.sharing.wouldMore(names)}`;
}

function mainSentence({ grant, then, nameOf, end, words: { sharing } }: DryRun, what: string): string {
  const { subject } = grant;
  if (subject.kind === 'everyone') return sharing.wouldEveryone(then.length, what);
  if (subject.kind === 'room') return sharing.wouldRoom(then.length, nameOf(subject), what);
  const who = nameOf(subject);
  return end ? sharing.wouldUntil(who, what, end) : sharing.would(who, what);
}
