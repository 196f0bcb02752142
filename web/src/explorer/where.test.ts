import { expect, it } from 'vitest';
import type { FoundEntry } from '../api/types';
import { placeOf, whereIs } from './where';

const found = {
  path: 'trips/Lisboa/a.png',
  device_id: 'd',
  device_name: 'Garage',
  share_id: 's',
  share_name: 'Photos',
} as FoundEntry;

it('a result says on which machine and in which share it is, where there are several', () => {
  expect(whereIs(found, true)).toEqual({ origin: 'Garage › Photos', path: 'trips/Lisboa' });
  expect(whereIs(found, false)).toEqual({ origin: '', path: 'trips/Lisboa' });
  expect(whereIs({ ...found, path: 'a.png' }, true)).toEqual({ origin: 'Garage › Photos', path: '' });
  expect(placeOf(found)).toEqual({ device: 'd', share: 's' });
});
