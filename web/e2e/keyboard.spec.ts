// From sign-in to a download without touching the mouse: what Tab reaches, arrows choose, Space shows, Enter saves.
import { readFileSync } from 'node:fs';
import type { Locator, Page } from '@playwright/test';
import { expect, PIN, test } from './rig';
import { picture } from './samples';

/** Presses Tab until this has the focus, and sees to it that the focus can be seen. */
async function tabTo(page: Page, target: Locator): Promise<void> {
  for (let presses = 0; presses < 40; presses += 1) {
    await page.keyboard.press('Tab');
    if (await target.evaluate((element) => element === document.activeElement)) {
      expect(await target.evaluate((element) => element.matches(':focus-visible'))).toBe(true);
      return;
    }
  }
  throw new Error(`Tab does not reach ${target}`);
}

test('sign in, browse, choose, look, next, download: by keys alone', async ({ machine, page }) => {
  const last = picture(320, 200);
  for (const name of ['a.png', 'b.png']) machine.put(`trips/Lisboa/${name}`, picture(200, 320));
  machine.put('trips/Lisboa/c.png', last);
  await page.context().clearCookies();
  await page.goto(machine.url);

  await expect(page.getByLabel('PIN', { exact: true })).toBeFocused();
  await page.keyboard.type(PIN);
  await page.keyboard.press('Enter');
  const share = page.getByRole('main').getByRole('link', { name: 'Shared files' });
  await expect(share).toBeVisible();
  await tabTo(page, share);
  await page.keyboard.press('Enter');

  const row = (name: string) => page.getByRole('row', { name }).first();
  await expect(row('trips')).toBeVisible();
  await page.keyboard.press('ArrowDown');
  await expect(row('trips')).toHaveAttribute('aria-selected', 'true');
  await page.keyboard.press('Enter');
  await expect(row('Lisboa')).toBeVisible();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await expect(row('a.png')).toBeVisible();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowDown');
  await expect(row('b.png')).toHaveAttribute('aria-selected', 'true');

  await page.keyboard.press('Space');
  await expect(page.getByRole('dialog', { name: 'Preview of b.png' }).getByRole('img')).toBeVisible();
  await page.keyboard.press('ArrowRight');
  await expect(page.getByRole('dialog', { name: 'Preview of c.png' }).getByRole('img')).toBeVisible();
  await tabTo(page, page.getByRole('dialog').getByRole('link', { name: 'Download' }));
  const [one] = await Promise.all([page.waitForEvent('download'), page.keyboard.press('Enter')]);
  expect(one.suggestedFilename()).toBe('c.png');
  expect(readFileSync(await one.path()).equals(last)).toBe(true);

  // Back in the list, on the file that was looked at last; from there the keys go on.
  await page.keyboard.press('Escape');
  await expect(page.getByRole('dialog')).toHaveCount(0);
  await expect(row('c.png')).toHaveAttribute('aria-selected', 'true');
  await page.keyboard.press('Shift+ArrowUp');
  await expect(page.getByText('2 selected').first()).toBeVisible();
  await tabTo(page, page.getByRole('main').getByRole('button', { name: 'Download' }));
  await page.keyboard.press('Enter');
  await expect(page.getByRole('menuitem', { name: 'Download as zip' })).toBeFocused();
  const [several] = await Promise.all([page.waitForEvent('download'), page.keyboard.press('Enter')]);
  expect(several.suggestedFilename()).toMatch(/\.zip$/);
});

test('a link of the sidebar leads into the list that it opens', async ({ machine, page }) => {
  for (const name of ['a.txt', 'b.txt']) machine.put(`trips/${name}`, name);
  await page.goto(await machine.address(page, 'trips'));
  await expect(page.getByRole('row', { name: 'a.txt' })).toBeVisible();
  await page.goto(`${machine.url}/settings`);
  const machines = page.getByRole('navigation', { name: 'Machines' });
  await tabTo(page, machines.getByRole('link', { name: 'Shared files' }));
  await page.keyboard.press('Enter');

  // Focused, and so read out by its name.
  const list = page.getByRole('grid', { name: 'Shared files' });
  await expect(list).toBeFocused();
  await expect(list).toHaveCSS('outline-style', 'solid');
  await page.keyboard.press('ArrowDown');
  await expect(page.getByRole('row', { name: 'trips' })).toHaveAttribute('aria-selected', 'true');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('row', { name: 'b.txt' })).toBeVisible();
  await page.keyboard.press('End');
  await expect(page.getByRole('row', { name: 'b.txt' })).toHaveAttribute('aria-selected', 'true');

  // A step of the path leads up in the same way, to the folder one comes from.
  await tabTo(
    page,
    page.getByRole('navigation', { name: 'Path' }).getByRole('link', { name: 'Shared files' }),
  );
  await page.keyboard.press('Enter');
  await expect(list).toBeFocused();
  await expect(page.getByRole('row', { name: 'trips' })).toHaveAttribute('aria-selected', 'true');
});
