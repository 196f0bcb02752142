// Dropping real files and folders of this machine's disk on the page, as a file manager does.
import { mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Locator, Page } from '@playwright/test';
import type { Machine } from './rig';

/** When every file of a visitor was last changed. */
const WHEN = new Date('2024-02-03T04:05:06Z');

/** Puts a file on the visitor's own disk, which is not shared. */
export function own(machine: Machine, path: string, content: string | Uint8Array): string {
  const file = join(machine.home, 'visitor', path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
  utimesSync(file, WHEN, WHEN);
  return file;
}

export function ownFolder(machine: Machine, path: string): string {
  const folder = join(machine.home, 'visitor', path);
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** Holds files over the page; `drop` lets them go. */
export async function hold(
  page: Page,
  files: string[],
  onto?: Locator,
): Promise<{ drop: () => Promise<void> }> {
  const box = await (onto ?? page.getByRole('main')).boundingBox();
  if (!box) throw new Error('it is not on the screen');
  const browser = await page.context().newCDPSession(page);
  const at = { x: box.x + box.width / 2, y: box.y + box.height / 2 };
  const send = (type: 'dragEnter' | 'dragOver' | 'drop') =>
    browser.send('Input.dispatchDragEvent', {
      type,
      ...at,
      data: { items: [], files, dragOperationsMask: 1 },
    });
  await send('dragEnter');
  await send('dragOver');
  return {
    drop: async () => {
      await send('drop');
      await browser.detach();
    },
  };
}

export async function drop(page: Page, files: string[], onto?: Locator): Promise<void> {
  await (await hold(page, files, onto)).drop();
}

export const tray = (page: Page) => page.getByRole('region', { name: 'Uploads' });
