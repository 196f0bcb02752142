// People: an invite lets a guest in, who sees what was given and nothing else, for as long as it is given; rooms; and
// the log of all of it.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join as joinPath } from 'node:path';
import type { Browser, Page } from '@playwright/test';
import { join } from './pairing';
import { expect, test, type Machine } from './rig';
import { film } from './samples';

/** How long what was ended may still be on somebody's screen. */
const AT_ONCE = { timeout: 2_000 };

/** Makes an invite for Ana to the share, and hands back the address of its link on this machine. */
async function invite(machine: Machine, page: Page, share: RegExp = /Shared files/): Promise<string> {
  await page.goto(`${machine.url}/people`);
  await page.getByRole('button', { name: 'New invite' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Name of the guest').fill('Ana');
  await dialog.getByLabel(share).check();
  await dialog.getByRole('radio', { name: 'Look', exact: true }).click();
  await dialog.getByRole('button', { name: 'Make the invite' }).click();
  await expect(dialog.getByRole('img', { name: 'QR code of the link' })).toBeVisible();
  const link = new URL(
    await dialog
      .getByText(/\/invite#/)
      .first()
      .innerText(),
  );
  await dialog.getByRole('button', { name: 'Done' }).click();
  return `${machine.url}${link.pathname}${link.hash}`;
}

/** A browser of somebody else's, in which Ana came in. */
async function comeIn(link: string, browser: Browser): Promise<Page> {
  const guest = await browser.newPage({ locale: 'en-GB', reducedMotion: 'reduce' });
  await guest.goto(link);
  await guest.getByRole('button', { name: 'Come in' }).click();
  await expect(guest.getByRole('main').getByRole('link', { name: 'Shared files' })).toBeVisible();
  return guest;
}

/** Answers for a path as the page's own requests get them. */
const answer = (page: Page, path: string) =>
  page.evaluate(async (path) => {
    const response = await fetch(path);
    return { status: response.status, text: await response.text() };
  }, path);

test('a guest comes in by a link, sees what was given, and loses it at once', async ({
  machine,
  page,
  browser,
}) => {
  machine.put('boats.txt', 'boats');
  const link = await invite(machine, page);

  const guests = await browser.newContext({ locale: 'en-GB', reducedMotion: 'reduce' });
  const guest = await guests.newPage();
  const asked: string[] = [];
  guest.on('request', (request) => asked.push(request.url()));
  await guest.goto(link);
  await expect(guest.getByRole('heading', { name: 'You are invited to Attic' })).toBeVisible();
  // The secret is in the address bar no more, and was sent in no address.
  const secret = new URL(link).hash.slice(1);
  expect(guest.url()).not.toContain(secret);
  await guest.getByRole('button', { name: 'Come in' }).click();
  const share = guest.getByRole('main').getByRole('link', { name: 'Shared files' });
  await expect(share).toBeVisible();
  expect(asked.filter((url) => url.includes(secret))).toEqual([]);
  await share.click();
  await expect(guest.getByRole('row', { name: 'boats.txt' })).toBeVisible();
  await expect(guest.getByRole('link', { name: 'People' })).toHaveCount(0);
  await guest.goto(`${machine.url}/files`);
  await expect(share).toBeVisible();

  // The owner ends it: the guest's page shows it without being loaded again.
  await page.goto(`${machine.url}/files`);
  await page.getByRole('button', { name: 'Who can see this? Shared files' }).click();
  const dialog = page.getByRole('dialog', { name: 'Who can see “Shared files”?' });
  await expect(dialog.getByText('look · given directly')).toBeVisible();
  await dialog.getByRole('button', { name: 'End the rights of Ana' }).click();
  await expect(dialog.getByText('Nobody but the owner.')).toBeVisible();
  await expect(guest.getByText('Nothing is shared with you yet')).toBeVisible();

  // Once used, the invite is of no use to anybody else.
  const late = await browser.newPage({ locale: 'en-GB' });
  await late.goto(link);
  await late.getByRole('button', { name: 'Come in' }).click();
  await expect(late.getByText('This invite has been used or has ended.')).toBeVisible();
  await late.close();
  await guests.close();
});

test('a guest sees what was given and no other folder, by no way', async ({ machine, page, browser }) => {
  machine.put('boats.txt', 'boats');
  const secrets = joinPath(machine.home, 'Secrets');
  mkdirSync(secrets);
  writeFileSync(joinPath(secrets, 'boats-secret.txt'), 'hidden');
  const added = await page.request.post(`${machine.url}/api/v1/catalog/shares`, {
    headers: { 'X-Lanthorn': '1', Origin: machine.url },
    data: { folder: secrets },
    failOnStatusCode: true,
  });
  const { id, device_id } = (await added.json()) as { id: string; device_id: string };
  const guest = await comeIn(await invite(machine, page), browser);

  await expect(guest.getByRole('main').getByRole('link')).toHaveText(['Shared files']);
  await guest.getByLabel('Search', { exact: true }).fill('boats');
  await expect(guest.getByRole('row', { name: 'boats.txt' })).toBeVisible();
  await expect(guest.getByText('1 result', { exact: true }).first()).toBeVisible();
  await guest.goto(`${machine.url}/files/${device_id}/${id}`);
  await expect(guest.getByRole('alert')).toBeVisible();
  await expect(guest.getByText('boats-secret.txt')).toHaveCount(0);
  for (const path of [
    `/api/v1/devices/${device_id}/shares/${id}/list`,
    `/api/v1/devices/${device_id}/shares/${id}/stream?path=boats-secret.txt`,
    `/api/v1/files/list?device_id=${device_id}&share_id=${id}`,
    `/api/v1/files/search?q=boats&share_id=${id}`,
    `/api/v1/shares/${id}/access`,
  ]) {
    expect((await answer(guest, path)).status, path).toBe(404);
  }
  for (const path of ['/api/v1/catalog/shares', '/api/v1/files/search?q=boats', '/api/v1/audit']) {
    const { status, text } = await answer(guest, path);
    expect([status, /secret/i.test(text)], path).toEqual([200, false]);
  }
  await guest.close();
});

test('a hidden machine vanishes for the guest, and comes back when it is shown', async ({
  machine,
  second,
  page,
  browser,
}) => {
  test.setTimeout(120_000);
  second.put('boats.txt', 'boats');
  await join(machine, second, page);
  await expect(
    page.getByRole('list', { name: 'Machines' }).getByRole('listitem').filter({ hasText: 'Garage' }),
  ).toContainText('online');
  const guest = await comeIn(await invite(machine, page, /Garage · Shared files/), browser);
  const garage = guest.getByRole('region', { name: 'Garage' });
  await garage.getByRole('link', { name: 'Shared files' }).click();
  await expect(guest.getByRole('row', { name: 'boats.txt' })).toBeVisible();
  const device = new URL(guest.url()).pathname.split('/')[2] ?? '';
  await guest.goto(`${machine.url}/files`);
  await expect(garage).toBeVisible();

  await page.goto(`${machine.url}/devices`);
  await page.getByRole('button', { name: /^Actions for Garage/ }).click();
  await page.getByRole('menuitem', { name: 'Hide from others' }).click();
  await expect(garage).toHaveCount(0, AT_ONCE);
  await expect(guest.getByText('Nothing is shared with you yet')).toBeVisible();
  for (const tail of ['info', 'path']) {
    expect((await answer(guest, `/api/v1/devices/${device}/${tail}`)).status, tail).toBe(404);
  }
  for (const path of ['/api/v1/catalog/devices', '/api/v1/files/search?q=boats']) {
    expect((await answer(guest, path)).text, path).not.toContain(device);
  }
  // Its owner sees it still.
  await page.goto(`${machine.url}/files?q=boats`);
  await expect(page.getByRole('row', { name: 'boats.txt' })).toBeVisible();

  await page.goto(`${machine.url}/devices`);
  await page.getByRole('button', { name: /^Actions for Garage/ }).click();
  await page.getByRole('menuitem', { name: 'Show to others' }).click();
  await expect(garage.getByRole('link', { name: 'Shared files' })).toBeVisible(AT_ONCE);
  await guest.close();
});

test('who is removed is out within two seconds, whatever is open', async ({ machine, page, browser }) => {
  film(machine, 'tide.webm');
  const guest = await comeIn(await invite(machine, page), browser);
  await guest.goto(await machine.address(page, '', 'tide.webm'));
  const video = guest.getByRole('dialog').locator('video');
  await expect
    .poll(() => video.evaluate((v: HTMLVideoElement) => v.currentTime), { timeout: 30_000 })
    .toBeGreaterThan(0.2);

  await page.goto(`${machine.url}/people`);
  await page.getByRole('button', { name: 'Actions for Ana' }).click();
  await page.getByRole('menuitem', { name: 'Remove…' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Remove', exact: true }).click();
  await expect(guest.getByText('You were signed out')).toBeVisible(AT_ONCE);
  await expect(video).toHaveCount(0);
  expect((await answer(guest, '/api/v1/catalog/shares')).status).toBe(401);
  await guest.close();
});

test('rights are shown before they are given, to a room and its people', async ({
  machine,
  page,
  browser,
}) => {
  const guest = await comeIn(await invite(machine, page), browser);
  await guest.close();

  await page.goto(`${machine.url}/people`);
  await page.getByRole('button', { name: 'New room' }).click();
  await page.getByLabel('Name of the room').fill('Family');
  await page.keyboard.press('Enter');
  const members = page.getByRole('dialog', { name: 'Who is in Family?' });
  await members.getByRole('switch', { name: 'Ana' }).click();
  await expect(members.getByRole('switch', { name: 'Ana' })).toHaveAttribute('aria-checked', 'true');
  await members.getByRole('button', { name: 'Done' }).click();

  await page.goto(`${machine.url}/files`);
  await page.getByRole('button', { name: 'Who can see this? Shared files' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Whom').selectOption({ label: 'Family' });
  await dialog.getByRole('radio', { name: 'Look and save' }).click();
  await expect(dialog.getByText('One person in Family will be able to look and save copies.')).toBeVisible();
  await dialog.getByRole('button', { name: 'Give these rights' }).click();
  await expect(
    dialog.getByText('look and save copies · given directly and through the room Family'),
  ).toBeVisible();

  // All of it was written down.
  await page.goto(`${machine.url}/activity`);
  const log = page.getByRole('list', { name: 'Activity' });
  await expect(log.getByText('Rights were given').first()).toBeVisible();
  await page.getByLabel('What').selectOption({ label: 'Rooms' });
  await expect(log.getByText('Rights were given')).toHaveCount(0);
  await expect(log.getByText('A room was made')).toBeVisible();

  // Refusals alone, on the page and in the copy that is taken away.
  await page.getByLabel('What').selectOption({ label: 'Everything' });
  await page.getByRole('switch', { name: 'Refused only' }).click();
  await expect(page.getByText('Nothing fits')).toBeVisible();
  const guessed = { invite: 'nobody-was-ever-asked-in' };
  await page.request.post(`${machine.url}/api/v1/invites/use`, {
    headers: { 'X-Lanthorn': '1', Origin: machine.url },
    data: guessed,
  });
  await page.reload();
  await expect(log.getByRole('listitem')).toHaveCount(1);
  await expect(log.getByText('An invite was used')).toBeVisible();
  const [file] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('link', { name: 'Export' }).click(),
  ]);
  expect(file.suggestedFilename()).toBe('lanthorn-audit.ndjson');
  const lines = readFileSync(await file.path(), 'utf8')
    .trim()
    .split('\n');
  expect(lines.map((line) => (JSON.parse(line) as { allowed: boolean }).allowed)).toEqual([false]);
});
