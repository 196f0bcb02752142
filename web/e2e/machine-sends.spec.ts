// What is chosen in the page goes from the machine on which it lies to another one.
import { existsSync, readFileSync } from 'node:fs';
import { join as joinMachine } from './pairing';
import { expect, test } from './rig';
import { dialog, inbox, line } from './sending';

test.setTimeout(120_000);

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
