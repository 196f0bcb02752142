import { describe, expect, it } from 'vitest';
import type { ErrorCode } from '../api/types';
import {
  afterBegin,
  afterLook,
  afterPiece,
  beginning,
  idFrom,
  KEY,
  metadataOf,
  piece,
  type Answer,
} from './tus';

function answer(status: number, headers: Record<string, string> = {}, code?: ErrorCode): Answer {
  const lower = Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]),
  );
  return {
    status,
    header: (name) => lower[name.toLowerCase()] ?? null,
    error: code && { code, message: 'no', hint: 'do this', request_id: '' },
  };
}

const SIZE = 1_000;

describe('what is sent', () => {
  it('names the file in any script', () => {
    expect(metadataOf({ path: 'Édition/写', clash: 'ask', sha256: '' })).toBe(
      'path w4lkaXRpb24v5YaZ,clash YXNr',
    );
  });

  it('begins with length, place and time', () => {
    const target = { path: 'a', size: SIZE, modified: Date.UTC(2026, 0, 2), clash: 'skip' } as const;
    const headers = beginning(target, false);
    expect(headers['Upload-Length']).toBe('1000');
    expect(atob(headers['Upload-Metadata']?.split(/[ ,]/)[3] ?? '')).toBe('2026-01-02T00:00:00.000Z');
    expect(headers['Content-Type']).toBeUndefined();
    expect(beginning(target, true)['Content-Type']).toBe('application/offset+octet-stream');
  });

  it('says what happens to what is there, when it was asked', () => {
    expect(piece(7, 'k')).toMatchObject({ 'Upload-Offset': '7', 'Tus-Resumable': '1.0.0', [KEY]: 'k' });
    expect(piece(SIZE, null, 'replace')['Lanthorn-Clash']).toBe('replace');
    expect(piece(7, null)).not.toHaveProperty('Lanthorn-Clash');
    expect(piece(7, null)).not.toHaveProperty(KEY);
  });
});

it.each([
  ['/api/v1/devices/d/shares/s/uploads/abc', 'abc'],
  ['https://host/uploads/a%20b/?x=1', 'a b'],
  ['', null],
  [null, null],
])('the upload at %s', (location, id) => expect(idFrom(location)).toBe(id));

describe('after an answer', () => {
  const gone = { do: 'begin' };
  it.each([
    ['begun', afterBegin(answer(201), SIZE), { do: 'send', offset: 0 }],
    [
      'begun with a piece',
      afterBegin(answer(201, { 'Upload-Offset': '400' }), SIZE),
      { do: 'send', offset: 400 },
    ],
    ['a piece came', afterPiece(answer(204, { 'Upload-Offset': '700' }), SIZE), { do: 'send', offset: 700 }],
    ['it does not say how far it is', afterPiece(answer(204), SIZE), { do: 'look' }],
    ['another offset', afterPiece(answer(409, {}, 'OFFSET_CONFLICT'), SIZE), { do: 'look' }],
    ['asked how far', afterLook(answer(200, { 'Upload-Offset': '300' })), { do: 'send', offset: 300 }],
    ['expired', afterLook(answer(410)), gone],
    ['unknown', afterPiece(answer(404, {}, 'NOT_FOUND'), SIZE), gone],
  ])('%s', (_, step, expected) => expect(step).toEqual(expected));

  it('the whole is in its place, wherever that is', () => {
    const headers = {
      'Upload-Offset': '1000',
      'Lanthorn-Outcome': 'renamed',
      'Lanthorn-Path': 'a%20(1)/%C3%A9',
    };
    expect(afterPiece(answer(204, headers), SIZE)).toEqual({
      do: 'done',
      outcome: 'renamed',
      path: 'a (1)/é',
    });
    expect(afterBegin(answer(201, headers), SIZE)).toMatchObject({ do: 'done' });
  });

  it.each([
    ['busy', 503, 'BUSY', 'wait'],
    ['too many', 429, 'TOO_MANY', 'wait'],
    ['offline', 503, 'DEVICE_OFFLINE', 'wait'],
    ['taken', 409, 'EXISTS', 'ask'],
    ['full', 507, 'NO_SPACE', 'fail'],
    ['not allowed', 403, 'FORBIDDEN', 'fail'],
    ['changed on the way', 460, 'CHECKSUM_MISMATCH', 'fail'],
  ] as const)('%s', (_, status, code, expected) => {
    expect(afterPiece(answer(status, {}, code), SIZE).do).toBe(expected);
    expect(afterBegin(answer(status, {}, code), SIZE).do).toBe(expected);
  });

  it('waits as long as the machine says', () => {
    expect(afterPiece(answer(503, { 'Retry-After': '7' }), SIZE)).toMatchObject({ do: 'wait', seconds: 7 });
  });
});
