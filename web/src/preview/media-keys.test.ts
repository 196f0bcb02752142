import { expect, it } from 'vitest';
import { mediaAction } from './media-keys';

it.each([
  [' ', { do: 'toggle' }],
  ['K', { do: 'toggle' }],
  ['j', { do: 'skip', seconds: -10 }],
  ['l', { do: 'skip', seconds: 10 }],
  ['0', { do: 'jump', fraction: 0 }],
  ['7', { do: 'jump', fraction: 0.7 }],
  ['m', { do: 'mute' }],
  ['f', { do: 'fullscreen' }],
  ['ArrowLeft', undefined],
  ['10', undefined],
])('%j', (key, action) => {
  expect(mediaAction(key)).toEqual(action);
});
