import { beforeEach, describe, expect, it, vi } from 'vitest';
import { ApiFailure } from '../api/client';
import type { Acted, CopyEvent, Entry } from '../api/types';
import type { Chosen } from '../state/entries';
import { toasts } from '../state/toasts.svelte';

const api = vi.hoisted(() => ({
  moveItems: vi.fn(),
  copyItems: vi.fn(),
  deleteItems: vi.fn(),
  makeFolder: vi.fn(),
  restoreItems: vi.fn(),
  undoAct: vi.fn(),
  copyAcross: vi.fn(),
}));
const stat = vi.hoisted(() => vi.fn());
vi.mock('../api/acts', () => api);
vi.mock('../api/files', async (real) => ({ ...(await real<object>()), stat }));

const { Desk } = await import('./desk.svelte');
const { pushUndo } = await import('./undo');

const place = { device: 'd', share: 's' };
const folder = (path: string, share = 's') => ({ device: 'd', share, path });

function chosen(path: string, type: Entry['type'] = 'file'): Chosen {
  const name = path.slice(path.lastIndexOf('/') + 1);
  return { place, entry: { name, path, type, kind: 'other', size: 1, modified: null, version: '' } };
}

const done = (from: string, to: string) => ({ from, to, outcome: 'done' as const });
const failed = (from: string, code: string) => ({
  from,
  outcome: 'failed' as const,
  error: { code, message: `${code}!`, hint: '', request_id: '' },
});
const said = () => toasts.list.at(-1)?.text;

/** Until everything that was promised has come. */
const settled = () => new Promise((done) => setImmediate(done));

let desk: InstanceType<typeof Desk>;
beforeEach(() => {
  vi.resetAllMocks();
  sessionStorage.clear();
  toasts.list = [];
  desk = new Desk();
});

describe('deleting', () => {
  it('files are gone at once, with the way back', async () => {
    api.deleteItems.mockResolvedValue({ items: [done('a', '')], undo: 't1' } satisfies Acted);
    api.undoAct.mockResolvedValue({ items: [done('', 'a')] } satisfies Acted);
    desk.remove([chosen('a')]);
    await settled();
    expect(said()).toBe('a is in the trash');
    toasts.list.at(-1)?.action?.run();
    await settled();
    expect(api.undoAct).toHaveBeenCalledWith(place, 't1');
    expect(said()).toBe('Undone: a is in the trash');
  });

  it('folders are asked about first', async () => {
    desk.remove([chosen('a', 'folder')]);
    await settled();
    expect(desk.window?.kind).toBe('delete');
    expect(api.deleteItems).not.toHaveBeenCalled();
  });

  it('what could not be is listed, the rest is done', async () => {
    api.deleteItems.mockResolvedValue({ items: [done('a', ''), failed('b', 'ACCESS_DENIED')], undo: 't' });
    desk.remove([chosen('a'), chosen('b')]);
    await settled();
    expect(said()).toBe('1 item is in the trash');
    expect(desk.window).toMatchObject({ kind: 'problems', problems: [{ path: 'b' }] });
  });
});

it('what was uploaded is taken back: folders as a whole, and what was in them is not missed', async () => {
  api.deleteItems.mockResolvedValue({ items: [done('new', '')], undo: 't' } satisfies Acted);
  api.undoAct.mockResolvedValue({ items: [done('a', ''), failed('new', 'NOT_FOUND')] });
  const parts = [
    { place, token: 'pack' },
    { place, trash: ['new'] },
  ];
  pushUndo({ id: 'u', parts, what: '3 files uploaded' });
  desk.undo('u');
  await settled();
  expect(api.deleteItems).toHaveBeenCalledWith(place, ['new']);
  expect(api.deleteItems.mock.invocationCallOrder[0]).toBeLessThan(
    api.undoAct.mock.invocationCallOrder[0] ?? 0,
  );
  expect(desk.window).toBeNull();
  expect(said()).toBe('Undone: 3 files uploaded');

  api.undoAct.mockResolvedValue({ items: [failed('b', 'NOT_UNDOABLE')] });
  pushUndo({ id: 'v', parts, what: '' });
  desk.undo();
  await settled();
  expect(desk.window).toMatchObject({ kind: 'problems', problems: [{ path: 'b' }] });
});

describe('moving', () => {
  it('asks about taken names, and does what was chosen with them alone', async () => {
    const first = { items: [done('a', 'x/a'), failed('b', 'EXISTS'), failed('c', 'EXISTS')], undo: 't1' };
    api.moveItems.mockResolvedValueOnce(first);
    api.moveItems.mockResolvedValueOnce({ items: [done('b', 'x/b (1)'), done('c', 'x/c (1)')], undo: 't2' });
    desk.put([chosen('a'), chosen('b'), chosen('c')], folder('x'), 'move');
    await settled();
    expect(desk.window).toMatchObject({ kind: 'clash', name: 'b', others: 1 });
    if (desk.window?.kind === 'clash') desk.window.answer({ clash: 'rename', forAll: true });
    await settled();
    const steps = ['b', 'c'].map((name) => ({ from: name, to: `x/${name}` }));
    expect(api.moveItems).toHaveBeenLastCalledWith(place, steps, 'rename');
    expect(said()).toBe('3 items moved to x');
    api.undoAct.mockResolvedValue({ items: [] });
    desk.undo();
    await settled();
    // Last first: what was done with the taken names stands in the way of the rest.
    expect(api.undoAct.mock.calls.map(([, token]) => token)).toEqual(['t2', 't1']);
  });

  it('to where it is does nothing', async () => {
    desk.put([chosen('x/a')], folder('x'), 'move');
    await settled();
    expect(api.moveItems).not.toHaveBeenCalled();
  });

  it('given up halfway keeps what was done', async () => {
    api.moveItems.mockResolvedValue({ items: [done('a', 'x/a'), failed('b', 'EXISTS')], undo: 't' });
    desk.put([chosen('a'), chosen('b')], folder('x'), 'move');
    await settled();
    desk.close();
    await settled();
    expect(api.moveItems).toHaveBeenCalledTimes(1);
    expect(said()).toBe('1 item moved to x');
  });
});

it('a copy beside the original has another name', async () => {
  api.copyItems.mockResolvedValue({ items: [done('x/a', 'x/a (1)')], undo: 't' });
  desk.put([chosen('x/a')], folder('x'), 'copy');
  await settled();
  expect(api.copyItems).toHaveBeenCalledWith(place, [{ from: 'x/a', to: 'x/a' }], 'rename');
});

describe('to another share', () => {
  async function* events(...some: CopyEvent[]): AsyncGenerator<CopyEvent> {
    yield* some;
  }
  const end = {
    event: 'done',
    files: 1,
    folders: 0,
    bytes: 1,
    moved: true,
    undo: 'here',
    undo_source: 'there',
  } as const;
  const absent = new ApiFailure({ code: 'NOT_FOUND', message: '', hint: '', request_id: '' }, 404);

  it('taken names are asked about before anything leaves', async () => {
    stat.mockImplementation(async (_: unknown, path: string) => {
      if (path !== 'x/a') throw absent;
    });
    api.copyAcross.mockImplementation(() => events(end));
    desk.put([chosen('y/a'), chosen('y/b')], folder('x', 'other'), 'move');
    await settled();
    expect(api.copyAcross).not.toHaveBeenCalled();
    if (desk.window?.kind === 'clash') desk.window.answer({ clash: 'replace', forAll: false });
    await settled();
    const wishes = api.copyAcross.mock.calls.map(([wish]) => [wish.from.paths, wish.clash, wish.move]);
    expect(wishes).toEqual([
      [['y/b'], 'ask', true],
      [['y/a'], 'replace', true],
    ]);
    expect(said()).toBe('2 items moved to x');
  });

  it('is undone on both sides at once', async () => {
    stat.mockRejectedValue(absent);
    api.copyAcross.mockImplementation(() => events(end));
    api.undoAct.mockResolvedValue({ items: [] });
    desk.put([chosen('a')], folder('', 'other'), 'move');
    await settled();
    desk.undo();
    await settled();
    expect(api.undoAct.mock.calls).toEqual([
      [place, 'there'],
      [{ device: 'd', share: 'other' }, 'here'],
    ]);
  });

  it('that breaks off is said', async () => {
    stat.mockRejectedValue(absent);
    const error = { code: 'DEVICE_OFFLINE', message: 'It is off.', hint: '', request_id: '' };
    api.copyAcross.mockImplementation(() => events({ event: 'broken', error } as CopyEvent));
    desk.put([chosen('a')], folder('', 'other'), 'copy');
    await settled();
    expect(toasts.list.at(-1)).toMatchObject({ text: 'It is off.', tone: 'danger' });
  });
});

it('a name that is taken is said where it is typed', async () => {
  api.moveItems.mockResolvedValue({ items: [failed('a', 'EXISTS')] });
  desk.rename([chosen('a')]);
  const { window } = desk;
  if (window?.kind !== 'name') throw new Error('no window');
  await expect(window.save('b')).rejects.toMatchObject({ code: 'EXISTS' });
});
