import { afterEach, expect, it } from 'vitest';
import { dropInvite, takeInvite } from './invite';

afterEach(() => {
  dropInvite();
  history.replaceState(null, '', '/');
});

it('the secret leaves the address and outlives a reload', () => {
  history.replaceState({ key: 'k', index: 2 }, '', '/invite#s3cret');
  expect(takeInvite()).toBe('s3cret');
  expect(location.href).not.toContain('s3cret');
  expect(history.state).toEqual({ key: 'k', index: 2 });
  expect(takeInvite()).toBe('s3cret');
});

it('a used one is forgotten, and a newer one counts', () => {
  history.replaceState(null, '', '/invite#one');
  takeInvite();
  history.replaceState(null, '', '/invite#two');
  expect(takeInvite()).toBe('two');
  dropInvite();
  expect(takeInvite()).toBe('');
});
