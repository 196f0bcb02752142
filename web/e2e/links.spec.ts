// What waits behind a link: made of what is chosen, opened and saved in a browser of somebody who has nothing else, and gone
// when it was used up or taken back.
import { readFileSync } from 'node:fs';
import type { Browser, Page } from '@playwright/test';
import { expect, test, type Machine } from './rig';

const link = (page: Page) => page.getByRole('dialog').getByText(/\/d\//);

/** Makes a link to what is chosen; its address on this machine. */
async function make(machine: Machine, page: Page, downloads: string): Promise<string> {
  await page.keyboard.press('Control+Enter');
  await page.getByRole('dialog').getByRole('button', { name: 'Make a link instead…' }).click();
  await page.getByLabel('It can be downloaded').selectOption(downloads);
  await page.getByLabel('A word, if you like').fill('As promised');
  await page.getByRole('button', { name: 'Make the link' }).click();
  await expect(page.getByRole('img', { name: 'QR code of the link' })).toBeVisible();
  const { pathname } = new URL(await link(page).first().innerText());
  await page.getByRole('button', { name: 'Done' }).click();
  return `${machine.url}${pathname}`;
}

async function stranger(browser: Browser, url: string): Promise<Page> {
  const theirs = await browser.newContext({ locale: 'en-GB', reducedMotion: 'reduce' });
  const page = await theirs.newPage();
  await page.goto(url);
  return page;
}

/** Clicks, and reads what the browser saved. */
async function saved(page: Page, button: string): Promise<{ name: string; bytes: Buffer }> {
  const downloading = page.waitForEvent('download');
  await page.getByRole('button', { name: button }).click();
  const download = await downloading;
  return { name: download.suggestedFilename(), bytes: readFileSync(await download.path()) };
}

test('a link is opened by anybody, as often as was said', async ({ machine, page, browser }) => {
  machine.put('film.bin', Buffer.alloc(3_000_000, 9));
  await page.goto(await machine.address(page));
  await expect(page.getByRole('row', { name: 'film.bin' })).toBeVisible();
  await page.keyboard.press('ArrowDown');
  const url = await make(machine, page, 'once');

  const guest = await stranger(browser, url);
  await expect(guest.getByRole('heading', { name: /has something for you$/ })).toBeVisible();
  await expect(guest.getByText('As promised')).toBeVisible();
  await expect(guest.getByText('This link is good for one more download.')).toBeVisible();
  const { name, bytes } = await saved(guest, 'Download');
  expect([name, bytes.length, bytes[7]]).toEqual(['film.bin', 3_000_000, 9]);

  const late = await stranger(browser, url);
  await late.getByRole('button', { name: 'Download' }).click();
  await expect(late.getByRole('heading', { name: 'This link leads nowhere any more' })).toBeVisible();
});

test('a link to several is saved one by one or at once, and is taken back', async ({
  machine,
  page,
  browser,
}) => {
  machine.put('a/one.txt', 'one');
  machine.put('a/photos/boats.jpg', 'boats');
  await page.goto(await machine.address(page, 'a'));
  await expect(page.getByRole('row', { name: 'one.txt' })).toBeVisible();
  await page.keyboard.press('Control+a');
  const url = await make(machine, page, 'any');

  const guest = await stranger(browser, url);
  expect((await saved(guest, 'Download one.txt')).bytes.toString()).toBe('one');
  expect((await saved(guest, 'Download photos')).name).toBe('photos.zip');
  expect((await saved(guest, 'Download all')).name).toMatch(/\.zip$/);

  await page.goto(`${machine.url}/transfers`);
  await expect(page.getByText('downloaded once')).toBeVisible();
  await page.getByRole('button', { name: /^End the link to/ }).click();
  await expect(page.getByText(/leads nowhere any more$/)).toBeVisible();
  await guest.reload();
  await expect(guest.getByRole('heading', { name: 'This link leads nowhere any more' })).toBeVisible();
});
