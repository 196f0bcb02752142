// A browser alone as a sender: files of its device go into somebody's inbox, over a break, and in another window.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from '@playwright/test';
import { expect, test } from './rig';
import { dialog, guest, inbox, line } from './sending';

test.setTimeout(120_000);

/** Picks files of the visitor's device, to be sent. */
async function pickFiles(page: Page, files: string[]): Promise<void> {
  // The browser's own window for handles opens in no test; the old way does.
  await page.evaluate(() => Object.assign(window, { showOpenFilePicker: undefined }));
  const chooser = page.waitForEvent('filechooser');
  await page.getByRole('button', { name: 'Send from this device' }).click();
  await page.getByRole('menuitem', { name: 'Files…' }).click();
  await (await chooser).setFiles(files);
}

test('a browser sends files of its device, and goes on after a break', async ({ machine, page, browser }) => {
  const ana = await guest(machine, page, browser);
  await page.goto(`${machine.url}/inbox`);
  await ana.goto(`${machine.url}/transfers`);
  const film = join(machine.home, 'film.bin');
  writeFileSync(film, Buffer.alloc(20_000_000, 5));
  const picked = [film, join(machine.home, 'empty.txt')];
  writeFileSync(join(machine.home, 'empty.txt'), '');

  await pickFiles(ana, picked);
  const send = dialog(ana, 'Send 2 items');
  await send
    .getByRole('radio', { name: /owner|Attic|Owner/ })
    .first()
    .check();
  await send.getByLabel('A word, if you like').fill('the film');
  await send.getByRole('button', { name: 'Send', exact: true }).click();

  await expect(page.getByRole('article').getByText('the film')).toBeVisible();
  await page.getByRole('button', { name: 'Accept…' }).click();
  await dialog(page, 'Accept from Ana').getByLabel('Passcode').fill('1357');
  await page.keyboard.press('Enter');
  await expect(page.getByText('Tell Ana these four digits')).toBeVisible();

  // The line breaks for a while after the first chunk.
  let chunks = 0;
  await ana.route('**/chunk?*', (route) => ((chunks += 1) === 2 ? route.abort() : route.continue()));
  await ana.getByRole('status').getByRole('button', { name: 'Type it' }).click();
  const passcode = dialog(ana, /accepted$/);
  await passcode.getByLabel('Passcode').fill('1111');
  await ana.keyboard.press('Enter');
  await expect(passcode.getByRole('alert')).toContainText('That is not the passcode.');
  await passcode.getByLabel('Passcode').fill('1357');
  await ana.keyboard.press('Enter');
  await expect(line(ana, 'Ended', 'film.bin and 1 more').getByText('Arrived')).toBeVisible();
  await expect(page.getByText('film.bin and 1 more arrived')).toBeVisible();
  expect(chunks).toBeGreaterThan(2);
  expect(readFileSync(inbox(machine, 'film.bin')).equals(readFileSync(film))).toBe(true);
  expect(readFileSync(inbox(machine, 'empty.txt')).length).toBe(0);
});

test('what a browser sent goes on in another window, with the same files', async ({
  machine,
  page,
  browser,
}) => {
  const ana = await guest(machine, page, browser);
  await page.goto(`${machine.url}/inbox`);
  await ana.goto(`${machine.url}/transfers`);
  const film = join(machine.home, 'film.bin');
  const other = join(machine.home, 'other.bin');
  writeFileSync(film, Buffer.alloc(20_000_000, 5));
  writeFileSync(other, 'x');
  // Nothing after the first chunk comes through.
  let chunks = 0;
  await ana.route('**/chunk?*', (route) => ((chunks += 1) > 1 ? route.abort() : route.continue()));
  await pickFiles(ana, [film]);
  await dialog(ana, 'Send film.bin').getByRole('radio').first().check();
  await dialog(ana, 'Send film.bin').getByRole('button', { name: 'Send', exact: true }).click();
  await page.getByRole('button', { name: 'Accept…' }).click();
  await dialog(page, 'Accept from Ana').getByLabel('Always accept from Ana').check();
  await page.getByRole('button', { name: 'Accept', exact: true }).click();
  await expect.poll(() => chunks).toBeGreaterThan(1);

  ana.on('dialog', (leaving) => void leaving.accept());
  await ana.reload();
  await ana.unroute('**/chunk?*');
  const going = line(ana, 'Under way', 'film.bin');
  await expect(going.getByText('This window does not have the files any more')).toBeVisible();
  const offsets: string[] = [];
  ana.on('request', (request) => offsets.push(request.headers()['x-chunk-offset'] ?? ''));
  for (const file of [other, film]) {
    await ana.evaluate(() => Object.assign(window, { showOpenFilePicker: undefined }));
    const chooser = ana.waitForEvent('filechooser');
    await going.getByRole('button', { name: 'Choose the files again…' }).click();
    await (await chooser).setFiles(file);
    if (file === other)
      await expect(ana.getByText('These are other files than those that were offered.')).toBeVisible();
  }
  await expect(line(ana, 'Ended', 'film.bin').getByText('Arrived')).toBeVisible();
  expect(readFileSync(inbox(machine, 'film.bin')).equals(readFileSync(film))).toBe(true);
  expect(
    offsets
      .filter(Boolean)
      .map(Number)
      .some((offset) => offset > 0),
  ).toBe(true);
});
