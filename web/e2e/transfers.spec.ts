// Sending with consent: an offer is looked at, accepted whole or in part, or not; the passcode goes from mouth to ear; both
// sides see it go. Two machines of two people, both the real binary.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Locator, Page } from '@playwright/test';
import { join as joinMachine } from './pairing';
import { expect, test, type Machine } from './rig';
import { guest, joinAsAna, offer } from './sending';

test.setTimeout(120_000);

const inbox = (machine: Machine, ...names: string[]) =>
  join(machine.home, '.local/state/lanthorn/inbox', ...names);
const dialog = (page: Page, name: string | RegExp) => page.getByRole('dialog', { name });
const line = (page: Page, list: string, name: string): Locator =>
  page.getByRole('list', { name: list }).getByRole('listitem').filter({ hasText: name }).first();

/** Picks files of the visitor's device, to be sent. */
async function pickFiles(page: Page, files: string[]): Promise<void> {
  // The browser's own window for handles opens in no test; the old way does.
  await page.evaluate(() => Object.assign(window, { showOpenFilePicker: undefined }));
  const chooser = page.waitForEvent('filechooser');
  await page.getByRole('button', { name: 'Send from this device' }).click();
  await page.getByRole('menuitem', { name: 'Files…' }).click();
  await (await chooser).setFiles(files);
}

/** A folder and a file on Garage, to be sent. */
function harbour(second: Machine): string[] {
  const film = second.put('film.bin', Buffer.alloc(3_000_000, 7));
  second.put('photos/2026/boats.jpg', 'boats');
  second.put('photos/empty.txt', '');
  return [film, join(second.shared, 'photos')];
}

test('an offer is looked at, accepted with a passcode, and arrives', async ({ machine, second, page }) => {
  await joinAsAna(machine, second, page);
  const told = page.waitForEvent('websocket');
  await page.goto(`${machine.url}/files`);
  await told;
  const sending = offer(
    machine,
    second,
    harbour(second),
    '--passcode',
    '4829',
    '--message',
    'From the harbour',
  );

  // Wherever one is, one is told; nobody reloads.
  await page.getByRole('status').getByRole('button', { name: 'Look' }).click();
  const sections = page.getByRole('navigation', { name: 'Sections' });
  await expect(sections.getByRole('link', { name: 'Inbox 1 offer waits for your answer' })).toBeVisible();
  const card = page.getByRole('article', { name: 'Ana wants to send you 2 items' });
  await expect(card.getByText('From the harbour')).toBeVisible();
  await card.getByRole('button', { name: 'What is in photos' }).click();
  await expect(card.getByRole('group', { name: 'What is in photos' }).getByText('boats.jpg')).toBeVisible();

  await card.getByRole('button', { name: 'Accept…' }).click();
  const window = dialog(page, 'Accept from Ana');
  await expect(window.getByLabel('Passcode')).toHaveValue(/^\d{4}$/);
  await window.getByLabel('Passcode').fill('48');
  await window.getByRole('button', { name: 'Accept', exact: true }).click();
  await expect(window.getByRole('alert')).toHaveText('A passcode has four digits.');
  await window.getByLabel('Passcode').fill('4829');
  await window.getByRole('button', { name: 'Accept', exact: true }).click();

  const sent = await sending.ended;
  expect(sent.code, sent.printed).toBe(0);
  await expect(sections.getByRole('link', { name: 'Inbox', exact: true })).toBeVisible();
  await sections.getByRole('link', { name: 'Transfers' }).click();
  const ended = line(page, 'Ended', 'film.bin and 1 more');
  await expect(ended.getByText('Arrived')).toBeVisible();
  expect(readFileSync(inbox(machine, 'film.bin')).length).toBe(3_000_000);
  expect(readFileSync(inbox(machine, 'photos/2026/boats.jpg'), 'utf8')).toBe('boats');
  expect(existsSync(inbox(machine, 'photos/empty.txt'))).toBe(true);

  await ended.getByRole('button', { name: 'Show film.bin and 1 more in its folder' }).click();
  await expect(page.getByRole('row', { name: 'film.bin' })).toBeVisible();
});

test('a part is accepted, into a folder of a share', async ({ machine, second, page }) => {
  await joinAsAna(machine, second, page);
  mkdirSync(join(machine.shared, 'From Ana'));
  writeFileSync(join(machine.shared, 'From Ana/film.bin'), 'another');
  await page.goto(`${machine.url}/inbox`);
  const sending = offer(machine, second, harbour(second), '--passcode', '0000');
  const card = page.getByRole('article');
  await card.getByLabel('Take photos').uncheck();
  await card.getByRole('button', { name: 'Accept 1 of 2…' }).click();
  const window = dialog(page, 'Accept from Ana');
  await window.getByRole('button', { name: 'Choose…' }).click();
  const chooser = dialog(page, 'Choose a folder');
  await chooser
    .getByRole('navigation', { name: 'Places' })
    .getByRole('button', { name: 'Shared files' })
    .click();
  await chooser.getByRole('button', { name: 'From Ana' }).click();
  await expect(chooser.getByLabel('Folder', { exact: true })).toHaveValue('Shared files/From Ana');
  await chooser.getByRole('button', { name: 'Choose this folder' }).click();
  await expect(window.getByText('Shared files/From Ana')).toBeVisible();
  await window.getByLabel('Passcode').fill('0000');
  await page.keyboard.press('Enter');

  expect((await sending.ended).code).toBe(0);
  expect(readFileSync(join(machine.shared, 'From Ana/film (1).bin')).length).toBe(3_000_000);
  expect(existsSync(inbox(machine, 'photos'))).toBe(false);

  // What it is called now is told.
  await page.goto(`${machine.url}/transfers`);
  const ended = line(page, 'Ended', 'film.bin');
  await ended.getByRole('button', { name: 'What is in film.bin' }).click();
  await expect(ended.getByText('saved as film (1).bin')).toBeVisible();
  await expect(ended.getByText('not wanted')).toBeVisible();

  await page.getByRole('button', { name: 'Clear the list' }).click();
  await expect(page.getByText('Nothing has been sent yet')).toBeVisible();
});

test('an offer is rejected, and its sender reads why', async ({ machine, second, page }) => {
  await joinAsAna(machine, second, page);
  await page.goto(`${machine.url}/inbox`);
  const sending = offer(machine, second, harbour(second));
  await page.getByRole('button', { name: 'Reject…' }).click();
  const window = dialog(page, 'Reject what Ana sends?');
  await window.getByLabel('Why').fill('not now, please');
  await window.getByRole('button', { name: 'Reject' }).click();
  await expect(page.getByText('Nothing waits for you')).toBeVisible();
  const sent = await sending.ended;
  expect(sent.code).not.toBe(0);
  expect(sent.printed).toContain('not now, please');
});

test('somebody is trusted, needs to ask no more, and has to again', async ({ machine, second, page }) => {
  await joinAsAna(machine, second, page);
  await page.goto(`${machine.url}/inbox`);
  const first = offer(machine, second, [second.put('one.txt', 'one')]);
  await page.getByRole('button', { name: 'Accept…' }).click();
  const window = dialog(page, 'Accept from Ana');
  await window.getByLabel('Always accept from Ana').check();
  await expect(window.getByLabel('Passcode')).toHaveCount(0);
  await window.getByRole('button', { name: 'Accept', exact: true }).click();
  expect((await first.ended).code).toBe(0);
  await expect(page.getByText('into Inbox · Attic · up to 10 GB')).toBeVisible();

  const next = await offer(machine, second, [second.put('two.txt', 'two')]).ended;
  expect(next.code, next.printed).toBe(0);
  expect(readFileSync(inbox(machine, 'two.txt'), 'utf8')).toBe('two');

  await page.getByRole('button', { name: 'Ask again what Ana sends to Attic' }).click();
  await expect(page.getByText(/^Everybody has to ask/)).toBeVisible();
  const asked = offer(machine, second, [second.put('three.txt', 'three')]);
  await page.getByRole('button', { name: 'Reject…' }).click();
  await dialog(page, 'Reject what Ana sends?').getByRole('button', { name: 'Reject' }).click();
  expect((await asked.ended).code).not.toBe(0);
});

test('a browser sends files of its device, and goes on where a break or a reload stopped it', async ({
  machine,
  page,
  browser,
}) => {
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

test('what is chosen goes from its machine to another, is named, and sent again', async ({
  machine,
  second,
  page,
}) => {
  machine.put('album/one.jpg', 'one');
  machine.put('film.bin', Buffer.alloc(5_000_000, 3));
  await joinMachine(machine, second, page);
  await page.goto(`${machine.url}/files`);
  await page.getByRole('region', { name: 'Attic' }).getByRole('link', { name: 'Shared files' }).click();
  await expect(page.getByRole('row', { name: 'film.bin' })).toBeVisible();
  await page.keyboard.press('Control+a');
  await page.getByRole('button', { name: 'Send…' }).click();
  const send = dialog(page, 'Send 2 items');
  await expect(send.getByText('It goes from Attic itself')).toBeVisible();
  await send.getByRole('button', { name: 'Send', exact: true }).click();
  await expect(send.getByRole('alert')).toHaveText('Choose to whom it goes.');
  await send.getByRole('radio', { name: 'Garage' }).check();
  await send.getByRole('button', { name: 'Send', exact: true }).click();

  // To one's own machine it goes without a question.
  await page.getByRole('status').getByRole('button', { name: 'Look' }).first().click();
  const ended = line(page, 'Ended', 'album and 1 more');
  await expect(ended.getByText('Arrived')).toBeVisible();
  expect(readFileSync(inbox(second, 'film.bin')).length).toBe(5_000_000);
  expect(readFileSync(inbox(second, 'album/one.jpg'), 'utf8')).toBe('one');

  await ended.getByRole('button', { name: /^Actions for/ }).click();
  await page.getByRole('menuitem', { name: 'Give it a name…' }).click();
  await page.getByLabel(/^Name for/).fill('Summer');
  await page.keyboard.press('Enter');
  const named = line(page, 'Ended', 'Summer');
  await expect(named.getByText('album and 1 more')).toBeVisible();

  await named.getByRole('button', { name: 'Actions for Summer' }).click();
  await page.getByRole('menuitem', { name: 'Send again' }).click();
  await expect(page.getByRole('list', { name: 'Ended' }).getByText('Arrived')).toHaveCount(2);
  expect(existsSync(inbox(second, 'film (1).bin'))).toBe(true);
});
