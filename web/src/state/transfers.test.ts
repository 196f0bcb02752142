import { beforeEach, describe, expect, it, vi } from 'vitest';
import { ApiFailure } from '../api/client';
import { getTransfer, getTransfers } from '../api/transfers';
import type { Transfer } from '../api/types';
import { TransfersState } from './transfers.svelte';

vi.mock('../api/transfers', () => ({ getTransfer: vi.fn(), getTransfers: vi.fn() }));

const transfer = (id: string, state: Transfer['state'] = 'in_progress') =>
  ({ id, state, items: [], sender_principal_id: 'p' }) as unknown as Transfer;

const gone = new ApiFailure({ code: 'NOT_FOUND', message: '', hint: '', request_id: '' }, 404);

let state: TransfersState;
/** What listeners were told: how it stands now, and how it stood before. */
let told: string[];

const listed = (...transfers: Transfer[]) => vi.mocked(getTransfers).mockResolvedValueOnce({ transfers });
const settled = () => new Promise((done) => setTimeout(done));

beforeEach(() => {
  vi.mocked(getTransfer).mockReset();
  state = new TransfersState();
  told = [];
  state.listen((now, before) => told.push(`${now.id} ${before?.state ?? 'new'} → ${now.state}`));
});

describe('the transfers of the visitor', () => {
  it('are no news when the page opens, and news when they were missed since', async () => {
    listed(transfer('a'));
    await state.load();
    expect(told).toEqual([]);
    listed(transfer('b', 'pending_receiver_approval'), transfer('a', 'completed'));
    state.hear({ type: 'look' });
    await settled();
    expect(told).toEqual(['b new → pending_receiver_approval', 'a in_progress → completed']);
  });

  it('are asked for one by one, and again where more happened meanwhile', async () => {
    let answer: (transfer: Transfer) => void = () => undefined;
    vi.mocked(getTransfer)
      .mockImplementationOnce(() => new Promise((done) => (answer = done)))
      .mockResolvedValueOnce(transfer('a', 'completed'));
    const news = { type: 'transfer_ended', transfer: 'a', state: 'completed' } as const;
    state.hear(news);
    state.hear(news);
    state.hear(news);
    expect(getTransfer).toHaveBeenCalledTimes(1);
    answer(transfer('a'));
    await settled();
    expect(getTransfer).toHaveBeenCalledTimes(2);
    expect(told).toEqual(['a new → in_progress', 'a in_progress → completed']);
  });

  it('are forgotten where nothing is known of them any more', async () => {
    state.put(transfer('a'));
    vi.mocked(getTransfer).mockRejectedValueOnce(gone);
    state.hear({ type: 'transfer_cancelled', transfer: 'a', state: 'cancelled' });
    await settled();
    expect(state.all).toEqual([]);
  });

  it('tell how far they are without being asked for, until they end', () => {
    state.put(transfer('a'));
    state.hear({ type: 'transfer_progress', transfer: 'a', received: 5, total: 10, way: 'lan' });
    expect(state.progress.get('a')).toMatchObject({ received: 5, total: 10, way: 'lan', perSecond: 0 });
    expect(getTransfer).not.toHaveBeenCalled();
    state.put(transfer('a', 'completed'));
    expect(state.progress.has('a')).toBe(false);
  });
});
