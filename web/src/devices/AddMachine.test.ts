import { cleanup, render, screen } from '@testing-library/svelte';
import { tick } from 'svelte';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ApiFailure } from '../api/client';
import * as pairing from '../api/pairing';
import type { ApiError, WaitingMachine } from '../api/types';
import AddMachine from './AddMachine.svelte';

vi.mock('../api/pairing');
vi.mock('../api/settings', () => ({
  getTrust: async () => ({ private_urls: ['https://localhost:7000', 'https://192.168.1.20:7000/'] }),
}));

const api = vi.mocked(pairing);
const machine: WaitingMachine = {
  pending_pairing_id: 'p1',
  display_name: 'Téo',
  device_name: 'ThinkPad',
  platform: 'linux',
  device: 'd',
  words: ['velvet', 'harbour', 'quartz', 'lantern'],
  expires_at: '2026-11-21T10:00:00Z',
};

const refusal = (code: ApiError['code'], status: number, retry_after?: number) =>
  new ApiFailure({ code, message: 'said by the machine', hint: '', request_id: '', retry_after }, status);

let added: number;

const settle = async () => {
  await vi.advanceTimersByTimeAsync(0);
  await tick();
};

beforeEach(async () => {
  vi.useFakeTimers();
  vi.resetAllMocks();
  added = 0;
  api.getWaiting.mockResolvedValue({ waiting: [] });
  api.lookAtCode.mockResolvedValue(machine);
  api.confirmPairing.mockResolvedValue(machine);
  api.turnAway.mockResolvedValue(undefined);
  render(AddMachine, { open: true, onadded: () => (added += 1) });
  await settle();
});

afterEach(() => {
  cleanup();
  vi.useRealTimers();
});

const press = async (name: string | RegExp) => {
  screen.getByRole<HTMLButtonElement>('button', { name, hidden: true }).click();
  await settle();
};

async function type(label: string, text: string): Promise<HTMLInputElement> {
  const field = screen.getByLabelText<HTMLInputElement>(label);
  field.value = text;
  field.dispatchEvent(new Event('input', { bubbles: true }));
  await settle();
  return field;
}

async function enter(code: string): Promise<void> {
  const field = await type('Code', code);
  field.form?.dispatchEvent(new Event('submit', { cancelable: true }));
  await settle();
}

const text = () => document.body.textContent ?? '';

describe('the code', () => {
  it('is asked for with what is to be typed on the other machine', () => {
    expect(text()).toContain('lanthorn pair https://192.168.1.20:7000');
  });

  it('is grouped as it is typed', async () => {
    expect((await type('Code', '482-913')).value).toBe('482 913');
  });

  it('is not sent before it has six digits', async () => {
    await enter('482 91');
    expect(text()).toContain('A code has six digits.');
    expect(api.lookAtCode).not.toHaveBeenCalled();
  });

  it('that no machine shows is said in words, and can be typed again', async () => {
    api.lookAtCode.mockRejectedValueOnce(refusal('WRONG_CODE', 401));
    await enter('482913');
    expect(text()).toContain('No machine shows this code.');
    await enter('482914');
    expect(api.lookAtCode).toHaveBeenLastCalledWith('482914');
    expect(text()).toContain('velvet');
  });

  it('has to wait after too many wrong ones, as long as the machine says', async () => {
    api.lookAtCode.mockRejectedValueOnce(refusal('LOCKED', 429, 64));
    await enter('482913');
    expect(text()).toContain('You can try again in 1 minute 4 seconds.');
    await enter('482914');
    expect(api.lookAtCode).toHaveBeenCalledTimes(1);
    await vi.advanceTimersByTimeAsync(64_000);
    await settle();
    expect(text()).not.toContain('You can try again');
    await enter('482914');
    expect(api.lookAtCode).toHaveBeenCalledTimes(2);
  });
});

it('tells by itself who waits', async () => {
  expect(text()).not.toContain('Waiting to be let in');
  api.getWaiting.mockResolvedValue({ waiting: [machine] });
  await vi.advanceTimersByTimeAsync(2_000);
  await settle();
  expect(text()).toContain('Waiting to be let in: ThinkPad');
});

describe('the words', () => {
  beforeEach(() => enter('482913'));

  it('are shown with who asks and what changes', () => {
    for (const word of machine.words) expect(text()).toContain(word);
    expect(text()).toContain('ThinkPad (linux) wants to join.');
    expect(text()).toContain('ThinkPad becomes one of your machines');
  });

  it('that are the same let the machine in', async () => {
    await press('They are the same: let it in');
    expect(api.confirmPairing).toHaveBeenCalledWith('p1', '482913', {});
    expect(added).toBe(1);
    expect(text()).toContain('ThinkPad is here');
  });

  it('that differ send it away', async () => {
    await press('They differ');
    expect(api.turnAway).toHaveBeenCalledWith('p1');
    expect(api.confirmPairing).not.toHaveBeenCalled();
    expect(text()).toContain('Then do not let it in');
  });

  it('that came too late are said to be', async () => {
    api.confirmPairing.mockRejectedValueOnce(refusal('WRONG_CODE', 401));
    await press('They are the same: let it in');
    expect(text()).toContain('This code has ended.');
    expect(added).toBe(0);
  });
});
