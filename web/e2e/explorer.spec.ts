// The explorer: long folders, the keyboard alone, one's place kept, search, choosing and saving.
import { readFileSync } from 'node:fs';
import type { Page } from '@playwright/test';
import { expect, test, type Machine } from './rig';
import { picture } from './samples';

const ENTRIES = 100_000;

const area = (page: Page) => page.getByRole('grid');
const row = (page: Page, name: string) => page.getByRole('row', { name }).first();
const scrollTop = (page: Page) => area(page).evaluate((element) => element.scrollTop);

async function open(machine: Machine, page: Page, path: string): Promise<void> {
  await page.goto(await machine.address(page, path));
  await expect(area(page)).toBeVisible();
}

test('a folder of 100,000 entries is browsed at any place', async ({ machine, page }) => {
  test.setTimeout(120_000);
  for (let i = 0; i < ENTRIES; i += 1) machine.put(`many/file ${i}.txt`, '');
  await open(machine, page, 'many');
  await expect(row(page, 'file 0.txt')).toBeVisible();
  await expect(area(page)).toHaveAttribute('aria-rowcount', String(ENTRIES + 1));
  for (const place of [0.73, 0.12, 0.999]) {
    await area(page).evaluate((element, at) => (element.scrollTop = element.scrollHeight * at), place);
    await expect(page.locator('.waiting')).toHaveCount(0);
    expect(await page.getByRole('row').count()).toBeLessThan(60);
  }
  await area(page).focus();
  await page.keyboard.press('End');
  await expect(row(page, 'file 99999.txt')).toHaveAttribute('aria-selected', 'true');

  const byName = page.getByRole('columnheader', { name: 'Name' });
  await byName.getByRole('button').click();
  await expect(byName).toHaveAttribute('aria-sort', 'descending');
  await page.keyboard.press('Home');
  await expect(page.locator('[data-index="0"]')).toContainText('file 99999.txt');
  expect(await page.locator('main *').count()).toBeLessThan(2_000);
});

test('one can do without a mouse', async ({ machine, page }) => {
  machine.put('trips/Lisboa/a.txt', 'one');
  machine.put('trips/Lisboa/b.txt', 'two');
  machine.put('trips/Porto/c.txt', 'three');
  await open(machine, page, 'trips');
  await expect(row(page, 'Porto')).toBeVisible();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowDown');
  await expect(row(page, 'Porto')).toHaveAttribute('aria-selected', 'true');
  await page.keyboard.press('Enter');
  await expect(row(page, 'c.txt')).toBeVisible();
  await page.keyboard.press('Backspace');
  await expect(row(page, 'Porto')).toHaveAttribute('aria-selected', 'true');

  await page.keyboard.press('?');
  await expect(page.getByRole('dialog', { name: 'Keys' })).toBeVisible();
  await page.keyboard.press('Escape');
  await page.keyboard.press('Control+l');
  await page.getByRole('combobox').fill('/trips/Lis');
  await expect(page.getByRole('option', { name: 'Lisboa/' })).toBeVisible();
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await expect(row(page, 'b.txt')).toBeVisible();
  await page.keyboard.press('b');
  await expect(page).toHaveURL(/filter=b/);
  await expect(row(page, 'a.txt')).toHaveCount(0);
  await page.keyboard.press('Escape');
  await expect(row(page, 'a.txt')).toBeVisible();
});

test('back returns to where one was', async ({ machine, page }) => {
  for (let i = 0; i < 300; i += 1) machine.put(`long/file ${i}.txt`, '');
  machine.put('long/inner/x.txt', 'x');
  await open(machine, page, 'long');
  await expect(row(page, 'file 1.txt')).toBeVisible();
  await area(page).evaluate((element) => (element.scrollTop = 4_000));
  await expect(row(page, 'file 105.txt')).toBeVisible();
  await page.getByRole('navigation', { name: 'Path' }).getByRole('link').last().click();
  await expect(row(page, 'long')).toBeVisible();
  await page.goBack();
  await expect.poll(() => scrollTop(page)).toBe(4_000);
});

test('the order is remembered for the folder', async ({ machine, page }) => {
  machine.put('sizes/small.txt', 'x');
  machine.put('sizes/tall.txt', 'x'.repeat(5_000));
  await open(machine, page, 'sizes');
  await page.getByRole('columnheader', { name: 'Size' }).getByRole('button').click();
  const first = page.locator('[data-index="0"]');
  await expect(first).toContainText('tall.txt');
  await page.reload();
  await expect(first).toContainText('tall.txt');
  await expect(page.getByRole('columnheader', { name: 'Size' })).toHaveAttribute('aria-sort', 'descending');
});

test('what is searched is found in the whole share, and shown in its folder', async ({ machine, page }) => {
  machine.put('deep/down/here/needle in hay.txt', 'x');
  await open(machine, page, '');
  await page.keyboard.press('/');
  await page.keyboard.type('hay needle');
  await expect(row(page, 'needle in hay.txt')).toContainText('deep/down/here');
  await row(page, 'needle in hay.txt').click({ button: 'right' });
  await page.getByRole('menuitem', { name: 'Show in its folder' }).click();
  await expect(page).toHaveURL(/deep\/down\/here$/);
});

test('results are shown while more of them come, and are narrowed by kind', async ({ machine, page }) => {
  machine.put('needle 1.txt', 'x');
  machine.put('needle 2.png', 'x');
  machine.put('needle 3.mp3', 'x');
  // Holds the machine's answer back after its first line.
  await page.addInitScript(() => {
    const real = fetch;
    window.fetch = async (input, init) => {
      const answer = await real(input, init);
      if (!String(input).includes('/search?')) return answer;
      const text = await answer.text();
      const cut = text.indexOf('\n') + 1;
      const gate = new Promise((open) => addEventListener('let-go', open, { once: true }));
      const body = new ReadableStream<Uint8Array>({
        async start(controller) {
          const encoder = new TextEncoder();
          controller.enqueue(encoder.encode(text.slice(0, cut)));
          await gate;
          controller.enqueue(encoder.encode(text.slice(cut)));
          controller.close();
        },
      });
      return new Response(body, answer);
    };
  });
  const results = page.locator('[data-index]');
  await page.goto(`${await machine.address(page)}?q=needle`);
  await expect(results).toHaveCount(1);
  await expect(page.getByText(/^Searching…/).first()).toBeVisible();
  await page.evaluate(() => dispatchEvent(new Event('let-go')));
  await expect(results).toHaveCount(3);
  await expect(page.getByText('3 results').first()).toBeVisible();

  await page.getByRole('main').getByRole('button', { name: 'All', exact: true }).click();
  await page.getByRole('menuitemradio', { name: 'Photos' }).click();
  await expect(page).toHaveURL(/kind=image/);
  await page.evaluate(() => dispatchEvent(new Event('let-go')));
  await expect(results).toHaveCount(1);
  await expect(results).toContainText('needle 2.png');
});

test('one file and a choice of several are saved', async ({ machine, page }) => {
  for (const name of ['a.txt', 'b.txt', 'c.txt']) machine.put(`save/${name}`, `this is ${name}`);
  await open(machine, page, 'save');
  await row(page, 'a.txt').click({ button: 'right' });
  const [one] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('menuitem', { name: 'Download', exact: true }).click(),
  ]);
  expect(readFileSync(await one.path(), 'utf8')).toBe('this is a.txt');

  await row(page, 'c.txt').click({ modifiers: ['Shift'] });
  await page.getByRole('main').getByRole('button', { name: 'Download' }).click();
  const [several] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('menuitem', { name: 'Download as tar' }).click(),
  ]);
  const packed = readFileSync(await several.path()).toString('latin1');
  for (const name of ['a.txt', 'b.txt', 'c.txt']) expect(packed).toContain(`this is ${name}`);
});

test('a folder that is not there says so and leads on', async ({ machine, page }) => {
  await page.goto(await machine.address(page, 'nowhere'));
  await expect(page.getByRole('alert')).toBeVisible();
  await page.getByRole('link', { name: /^Up to/ }).click();
  await expect(page).toHaveURL(/\/files\/[^/]+\/[^/]+$/);
});

test.describe('on a phone', () => {
  test.use({ viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });

  test('a tap opens, and kinds are chosen by chips', async ({ machine, page }) => {
    machine.put('pocket/song.mp3', 'x');
    machine.put('pocket/letter.pdf', 'x');
    await open(machine, page, '');
    await row(page, 'pocket').tap();
    await expect(row(page, 'song.mp3')).toBeVisible();
    await page.getByRole('radio', { name: 'Audio' }).tap();
    await expect(row(page, 'letter.pdf')).toHaveCount(0);
    await page.getByRole('button', { name: 'More', exact: true }).last().tap();
    await page.getByRole('menuitem', { name: 'Settings' }).tap();
    await expect(page.getByRole('heading', { name: 'Settings', level: 1 })).toBeVisible();
  });

  test('a picture opens over the whole screen, leads on, and is saved', async ({ machine, page }) => {
    for (const name of ['a.png', 'b.png']) machine.put(name, picture(300, 200));
    await open(machine, page, '');
    await row(page, 'a.png').tap();
    await page.getByRole('dialog').getByRole('button', { name: 'Next' }).tap();
    const dialog = page.getByRole('dialog', { name: 'Preview of b.png' });
    await expect(dialog.getByRole('img')).toBeVisible();
    expect(await dialog.boundingBox()).toEqual({ x: 0, y: 0, width: 390, height: 844 });
    const [saved] = await Promise.all([
      page.waitForEvent('download'),
      dialog.getByRole('link', { name: 'Download' }).tap(),
    ]);
    expect(saved.suggestedFilename()).toBe('b.png');
    await dialog.getByRole('button', { name: 'Close preview' }).tap();
    await expect(row(page, 'b.png')).toBeVisible();
  });
});
