// Sending with consent: an offer is looked at, accepted whole or in part, or not; the passcode goes from mouth to ear; both
// sides see it go. Two machines of two people, both the real binary.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, type Machine } from './rig';
import { dialog, inbox, joinAsAna, line, offer } from './sending';

test.setTimeout(120_000);

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

  await ended.getByRole('button', { name: 'Show in folder: film.bin and 1 more' }).click();
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
