import { beforeEach, describe, expect, it, vi } from 'vitest';
import { ApiFailure } from '../api/client';
import type { Place } from '../api/files';
import type { Entry, ListQuery, Listing as Page } from '../api/types';
import { Listing, PAGE_SIZE, type FolderQuery } from './listing.svelte';

const place: Place = { device: 'd', share: 's' };
const byName: FolderQuery = { sort: 'name', order: 'asc', filter: '', kind: null, hideDotfiles: true };

const entry = (path: string): Entry => ({
  name: path,
  path,
  type: 'file',
  kind: 'other',
  size: 1,
  modified: null,
  version: 'v',
});

/** A machine with one folder, that answers when told to. */
class Machine {
  version = 'one';
  total = 2_000;
  failing = false;
  asked: { offset: number; signal?: AbortSignal; query: ListQuery }[] = [];

  list = async (_place: Place, query: ListQuery, signal?: AbortSignal): Promise<Page> => {
    const offset = query.offset ?? 0;
    this.asked.push({ offset, signal, query });
    await Promise.resolve();
    signal?.throwIfAborted();
    if (this.failing) {
      throw new ApiFailure({ code: 'NOT_FOUND', message: 'no such folder', hint: '', request_id: '' }, 404);
    }
    const length = Math.max(0, Math.min(Number(query.limit), this.total - offset));
    const entries = Array.from({ length }, (_, i) => entry(`${this.version}-${offset + i}`));
    return { path: '', parent: null, total: this.total, offset, version: this.version, entries };
  };

  get offsets(): number[] {
    return this.asked.map(({ offset }) => offset);
  }
}

let machine: Machine;
let listing: Listing;
beforeEach(() => {
  machine = new Machine();
  listing = new Listing(machine.list);
});

const settled = () => vi.waitFor(() => expect(listing.loaded || listing.failure).toBeTruthy());

async function opened(): Promise<void> {
  listing.open(place, 'a', byName);
  await settled();
}

describe('pages', () => {
  it('come as the screen needs them, each once', async () => {
    await opened();
    expect(listing.total).toBe(2_000);
    expect(listing.at(0)?.name).toBe('one-0');
    expect(listing.at(PAGE_SIZE)).toBeUndefined();
    listing.want(PAGE_SIZE - 5, PAGE_SIZE + 20);
    listing.want(PAGE_SIZE - 4, PAGE_SIZE + 21);
    await vi.waitFor(() => expect(listing.at(PAGE_SIZE)?.name).toBe('one-500'));
    expect(machine.offsets).toEqual([0, PAGE_SIZE]);
  });

  it('that scrolled away before they came are given up', async () => {
    await opened();
    listing.want(600, 620);
    listing.want(1_700, 1_720);
    await vi.waitFor(() => expect(listing.at(1_700)).toBeDefined());
    expect(machine.asked[1]?.signal?.aborted).toBe(true);
    expect(listing.at(600)).toBeUndefined();
    expect(listing.failure).toBeNull();
  });

  it('are fetched for a selection that was never seen', async () => {
    await opened();
    const entries = await listing.entriesAt([3, 1_999]);
    expect(entries.map(({ name }) => name)).toEqual(['one-3', 'one-1999']);
  });

  it('for a selection are not called off by scrolling', async () => {
    await opened();
    const entries = listing.entriesAt([1_999]);
    listing.want(0, 20);
    expect((await entries).map(({ name }) => name)).toEqual(['one-1999']);
  });

  it('for a selection that cannot be had are a failure, not a shorter list', async () => {
    await opened();
    machine.failing = true;
    await expect(listing.entriesAt([3, 1_999])).rejects.toThrow('no such folder');
  });
});

describe('a folder that changes', () => {
  it('drops the pages that no longer fit', async () => {
    await opened();
    listing.want(500, 520);
    await vi.waitFor(() => expect(listing.at(500)).toBeDefined());
    machine.version = 'two';
    machine.total = 1_999;
    await listing.refresh();
    expect(listing.version).toBe('two');
    expect(listing.total).toBe(1_999);
    expect(listing.at(500)?.name).toBe('two-500');
    expect(listing.at(0)).toBeUndefined();
  });

  it('that is the same costs one page and changes nothing', async () => {
    await opened();
    const before = listing.at(0);
    await listing.refresh();
    expect(listing.at(0)).toEqual(before);
    expect(machine.offsets).toEqual([0, 0]);
  });
});

describe('going about', () => {
  it('another folder shows none of the old rows', async () => {
    await opened();
    listing.open(place, 'b', byName);
    expect(listing.loaded).toBe(false);
    expect(listing.at(0)).toBeUndefined();
  });

  it('another order keeps the old rows until the new come', async () => {
    await opened();
    machine.version = 'sorted';
    listing.open(place, 'a', { ...byName, sort: 'size' });
    expect(listing.at(0)?.name).toBe('one-0');
    await vi.waitFor(() => expect(listing.at(0)?.name).toBe('sorted-0'));
    expect(machine.asked[1]?.query.sort).toBe('size');
  });

  it('back shows at once what was there, then asks', async () => {
    await opened();
    listing.open(place, 'b', byName);
    await settled();
    listing.open(place, 'a', byName);
    expect(listing.loaded).toBe(true);
    expect(listing.at(0)?.name).toBe('one-0');
    expect(machine.asked).toHaveLength(3);
  });
});

describe('what goes wrong', () => {
  it('is kept, and forgotten once it works again', async () => {
    machine.failing = true;
    listing.open(place, 'a', byName);
    await settled();
    expect(listing.failure?.code).toBe('NOT_FOUND');
    expect(listing.loaded).toBe(false);
    machine.failing = false;
    await listing.refresh();
    expect(listing.failure).toBeNull();
    expect(listing.loaded).toBe(true);
  });
});
