// What waits behind a link for any browser: made, listed and ended by its owner; looked at and taken by whoever has it.
import { address, requestJson } from './client';
import type { MadeDrop, MakeDrop, OpenedDrop, OwnDrops, TakenDrop } from './types';

const ALL = '/api/v1/drops';
const one = (name: string, tail = '') => `${ALL}/${encodeURIComponent(name)}${tail}`;

export const makeDrop = (drop: MakeDrop) => requestJson<MadeDrop>(ALL, { method: 'POST', body: drop });

export const getDrops = () => requestJson<OwnDrops>(ALL);

export const endDrop = (id: string) => requestJson<undefined>(one(id), { method: 'DELETE' });

/** What a secret opens. */
export const openDrop = (secret: string) => requestJson<OpenedDrop>(one(secret));

/** Counts one download; what it answers opens the content as often as is wanted. */
export const takeDrop = (secret: string) => requestJson<TakenDrop>(one(secret, '/take'), { method: 'POST' });

/** One item, to be saved. */
export const dropFileUrl = (secret: string, at: number, take: string) =>
  address(one(secret, `/files/${at}`), { take });

/** All of it, packed. */
export const dropArchiveUrl = (secret: string, take: string) => address(one(secret, '/archive'), { take });
