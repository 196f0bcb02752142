// People: an invite lets a guest in, who sees what was given and nothing else, for as long as it is given; rooms; and
// the log of all of it.
import type { Page } from '@playwright/test';
import { expect, test, type Machine } from './rig';

/** Makes an invite for Ana to the share, and hands back the address of its link on this machine. */
async function invite(machine: Machine, page: Page): Promise<string> {
  await page.goto(`${machine.url}/people`);
  await page.getByRole('button', { name: 'New invite' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Name of the guest').fill('Ana');
  await dialog.getByLabel(/Shared files/).check();
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

test('rights are shown before they are given, to a room and its people', async ({
  machine,
  page,
  browser,
}) => {
  const link = await invite(machine, page);
  const guest = await browser.newPage({ locale: 'en-GB' });
  await guest.goto(link);
  await guest.getByRole('button', { name: 'Come in' }).click();
  await expect(guest.getByRole('main').getByRole('link', { name: 'Shared files' })).toBeVisible();
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
  const [file] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('link', { name: 'Export' }).click(),
  ]);
  expect(file.suggestedFilename()).toBe('lanthorn-audit.ndjson');
});
