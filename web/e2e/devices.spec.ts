// A second machine joins by the code of its own terminal, appears in the explorer, is searched and plays; it is
// hidden, renamed and removed. Both are the real binary with a home of its own.
import type { Page } from '@playwright/test';
import { begin, join, look } from './pairing';
import { expect, test } from './rig';
import { film } from './samples';

test.setTimeout(120_000);

const machines = (page: Page) => page.getByRole('list', { name: 'Machines' });

test('a second machine joins, appears, is searched, and plays its film', async ({
  machine,
  second,
  page,
}) => {
  machine.put('notes/harbour.txt', 'here');
  second.put('notes/harbour-master.txt', 'there');
  film(second, 'harbour.webm');
  const joining = await begin(machine, second, page);

  // Who waits is told by itself; a wrong code is said in words and leaves the field as it is.
  await expect(page.getByText('Waiting to be let in: Garage')).toBeVisible();
  await look(page, joining.code === '000000' ? '000001' : '000000');
  await expect(page.getByText('No machine shows this code.')).toBeVisible();

  await look(page, joining.code);
  const words = page.getByRole('list', { name: 'Four words to compare' }).getByRole('listitem');
  await expect(words).toHaveText(joining.words);
  await expect(page.getByText('Garage becomes one of your machines')).toBeVisible();
  await page.getByRole('button', { name: 'They are the same: let it in' }).click();
  await expect(page.getByRole('heading', { name: 'Garage is here' })).toBeVisible();
  expect(await joining.ended).toBe(0);
  await page.getByRole('button', { name: 'Done' }).click();
  const garage = machines(page).getByRole('listitem').filter({ hasText: 'Garage' });
  await expect(garage.getByText('online', { exact: true })).toBeVisible();
  await expect(garage.getByText(/^Direct/)).toBeVisible();

  // Nobody reloads: its share is in the explorer, and both are searched.
  await page.getByRole('navigation', { name: 'Sections' }).getByRole('link', { name: 'Files' }).click();
  const section = page.getByRole('region', { name: 'Garage' });
  await expect(section.getByRole('link', { name: 'Shared files' })).toBeVisible();
  const asked: string[] = [];
  page.on('request', (request) => asked.push(new URL(request.url()).pathname));
  await page.getByLabel('Search', { exact: true }).fill('harbour');
  for (const [name, where] of Object.entries({
    'harbour.txt': 'Attic › Shared files',
    'harbour-master.txt': 'Garage › Shared files',
    'harbour.webm': 'Garage › Shared files',
  })) {
    await expect(page.getByRole('row', { name }).filter({ hasText: where })).toBeVisible();
  }
  await expect(page.getByText('3 results').first()).toBeVisible();
  expect(asked.filter((path) => path.endsWith('/search'))).toEqual(['/api/v1/files/search']);
  await page.getByRole('row', { name: 'harbour.webm' }).dblclick();
  const video = page.getByRole('dialog').locator('video');
  await expect
    .poll(() => video.evaluate((v: HTMLVideoElement) => v.currentTime), { timeout: 30_000 })
    .toBeGreaterThan(0.5);
  await page.keyboard.press('Escape');

  // What is away is named, and nothing of it is listed; a narrower search asks anew.
  await second.halt();
  await expect(page.getByText('Not searched, because offline: Garage')).toBeVisible();
  await expect(page.getByRole('row', { name: 'harbour.txt' })).toBeVisible();
  await expect(page.getByRole('row', { name: 'harbour-master.txt' })).toHaveCount(0);
  await page.getByRole('main').getByRole('button', { name: 'All', exact: true }).click();
  await page.getByRole('menuitemradio', { name: 'Videos' }).click();
  await expect(page.getByText('Nothing found')).toBeVisible();
  await expect(page.getByText('Not in what could be searched: see above.')).toBeVisible();
});

test('words that differ send the machine away, by keys alone', async ({ machine, second, page }) => {
  const joining = await begin(machine, second, page);
  await expect(page.getByLabel('Code')).toBeFocused();
  await page.keyboard.type(joining.code);
  await page.keyboard.press('Enter');
  await expect(page.getByText('Are these the words on its screen?')).toBeVisible();
  await page.keyboard.press('Tab');
  await expect(page.getByLabel('Whose machine is it?')).toBeFocused();
  await page.keyboard.press('Tab');
  await expect(page.getByRole('button', { name: 'They differ' })).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(page.getByRole('alert').getByText('Then do not let it in')).toBeVisible();
  expect(await joining.ended).not.toBe(0);
  await page.getByRole('button', { name: 'Done' }).click();
  await expect(machines(page).getByRole('listitem')).toHaveCount(1);
});

test('a machine is renamed, hidden, seen to go, and removed', async ({ machine, second, page }) => {
  await join(machine, second, page);
  const garage = machines(page).getByRole('listitem').filter({ hasText: 'Garage' });
  const menu = () => page.getByRole('button', { name: /^Actions for Garage/ });

  await menu().click();
  await page.getByRole('menuitem', { name: 'Rename' }).click();
  await page.getByLabel('New name of Garage').fill('Garage shelf');
  await page.keyboard.press('Enter');
  await expect(garage.getByRole('heading', { name: 'Garage shelf' })).toBeVisible();

  await menu().click();
  await page.getByRole('menuitem', { name: 'Hide from others' }).click();
  await expect(garage.getByText('Hidden: only you see it')).toBeVisible();

  // Nobody reloads: the machine says goodbye, and the page shows it.
  await second.halt();
  await expect(garage.getByText(/^offline · last seen/)).toBeVisible();

  await menu().click();
  await page.getByRole('menuitem', { name: 'Remove…' }).click();
  const dialog = page.getByRole('dialog', { name: 'Remove Garage shelf?' });
  await expect(dialog.getByText('Nothing on its disk is touched.')).toBeVisible();
  await dialog.getByRole('button', { name: 'Remove', exact: true }).click();
  await expect(garage).toHaveCount(0);
});
