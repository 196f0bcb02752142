// A failure in words for people: what the machine said, or ours where it could not say anything.
import { ApiFailure, FILE_GONE, UNREACHABLE } from '../api/client';
import type { Words } from '../text/en';

export interface FailureWords {
  message: string;
  hint: string;
  request: string;
}

export function describeFailure(failure: unknown, words: Words): FailureWords {
  const { failure: text } = words;
  if (!(failure instanceof ApiFailure))
    return { message: text.unknown(String(failure)), hint: '', request: '' };
  if (failure.code === UNREACHABLE) {
    return { message: text.unreachable, hint: text.unreachableHint, request: '' };
  }
  if (failure.code === FILE_GONE) return { message: text.fileGone, hint: text.fileGoneHint, request: '' };
  const [message, hint] = text.codes[failure.code] ?? [failure.message, failure.hint];
  return {
    message: message || text.unknown(failure.code),
    hint,
    request: failure.requestId ? text.request(failure.requestId) : '',
  };
}

/** The same in one line: what happened, and what to do. */
export function sentenceOf(failure: unknown, words: Words): string {
  const { message, hint } = describeFailure(failure, words);
  return [message, hint].filter(Boolean).join(' ');
}
