import { describe, expect, it, vi } from 'vitest';
import { keepAlive } from './keep-alive';

const MINUTE = 60_000;

function play(idleSeconds: number | undefined) {
  const media = new EventTarget();
  const ask = vi.fn(() => Promise.reject(new Error('away')));
  let time = 1_000_000;
  const stop = keepAlive(media, { ask, idleSeconds: () => idleSeconds, now: () => time });
  const send = (type: string, passed: number) => {
    time += passed;
    media.dispatchEvent(new Event(type));
  };
  return { ask, stop, send };
}

describe('the session of who watches', () => {
  it.each([
    ['every four minutes', 1_800, 12, 3],
    ['also where nobody said when it ends', undefined, 12, 3],
    ['sooner where it ends soon', 180, 12, 12],
  ])('is kept open %s', (_, idle, minutes, times) => {
    const { ask, send } = play(idle);
    for (let i = 0; i < minutes * 60; i += 1) send('timeupdate', 1_000);
    expect(ask).toHaveBeenCalledTimes(times);
  });

  it('ends while nothing plays', () => {
    const { ask, send } = play(1_800);
    send('pause', 60 * MINUTE);
    send('waiting', 60 * MINUTE);
    expect(ask).not.toHaveBeenCalled();
  });

  it('is looked after when the media breaks', () => {
    const { ask, send } = play(1_800);
    send('error', 0);
    expect(ask).toHaveBeenCalledOnce();
  });

  it('is nobody’s care once the preview is closed', () => {
    const { ask, send, stop } = play(1_800);
    stop();
    send('timeupdate', 60 * MINUTE);
    send('error', 0);
    expect(ask).not.toHaveBeenCalled();
  });
});
