// Without touching the mouse: from sign-in to a download, and from an invite to rights. What Tab reaches, arrows choose,
// Space shows, Enter does.
import { readFileSync } from 'node:fs';
import type { Locator, Page } from '@playwright/test';
import { expect, PIN, test } from './rig';
import { picture } from './samples';
import { joinAsAna, offer } from './sending';

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

test('ask somebody in, give rights, and read what was refused: by keys alone', async ({ machine, page }) => {
  await page.goto(`${machine.url}/people`);
  const main = page.getByRole('main');
  await tabTo(page, main.getByRole('button', { name: 'New room' }));
  await page.keyboard.press('Enter');
  await expect(page.getByLabel('Name of the room')).toBeFocused();
  await page.keyboard.type('Family');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('dialog', { name: 'Who is in Family?' })).toBeVisible();
  await page.keyboard.press('Escape');

  await tabTo(page, main.getByRole('button', { name: 'New invite' }));
  await page.keyboard.press('Enter');
  await expect(page.getByLabel('Name of the guest')).toBeFocused();
  await page.keyboard.type('Ana');
  await tabTo(page, page.getByLabel(/Shared files/));
  await page.keyboard.press('Space');
  await tabTo(page, page.getByRole('radio', { checked: true }));
  await page.keyboard.press('ArrowLeft');
  await expect(page.getByRole('radio', { name: 'Look', exact: true })).toBeFocused();
  await tabTo(page, page.getByRole('button', { name: 'Make the invite' }));
  await page.keyboard.press('Enter');
  await expect(page.getByRole('img', { name: 'QR code of the link' })).toBeVisible();
  await tabTo(page, page.getByRole('button', { name: 'Done' }));
  await page.keyboard.press('Enter');
  await expect(main.getByText(/good until/)).toBeVisible();

  await tabTo(page, page.getByRole('navigation', { name: 'Sections' }).getByRole('link', { name: 'Files' }));
  await page.keyboard.press('Enter');
  await tabTo(page, main.getByRole('button', { name: 'Who can see this? Shared files' }));
  await page.keyboard.press('Enter');
  const dialog = page.getByRole('dialog');
  await tabTo(page, dialog.getByLabel('Whom'));
  // As a list takes letters: the first choice that begins like this.
  await page.keyboard.type('Fam');
  await expect(dialog.getByText('Nobody is in Family yet.')).toBeVisible();
  await tabTo(page, dialog.getByRole('button', { name: 'Give these rights' }));
  await page.keyboard.press('Enter');
  const end = dialog.getByRole('button', { name: 'End the rights of Family' });
  await expect(end).toBeVisible();
  // The button that was pressed is gone with its form; the keys stay in the window.
  await tabTo(page, end);
  await page.keyboard.press('Enter');
  await expect(end).toHaveCount(0);
  await page.keyboard.press('Escape');
  await expect(dialog).toHaveCount(0);

  await tabTo(
    page,
    page.getByRole('navigation', { name: 'Sections' }).getByRole('link', { name: 'Activity' }),
  );
  await page.keyboard.press('Enter');
  const log = page.getByRole('list', { name: 'Activity' });
  await expect(log.getByText('Rights were given')).toBeVisible();
  await tabTo(page, page.getByRole('switch', { name: 'Refused only' }));
  await page.keyboard.press('Space');
  await expect(page.getByText('Nothing fits')).toBeVisible();
});

test('how this machine joins another Lanthorn is read by keys alone', async ({ machine, page }) => {
  await page.goto(`${machine.url}/devices`);
  const join = page.getByRole('button', { name: 'Join another Lanthorn…' });
  await tabTo(page, join);
  await page.keyboard.press('Enter');
  const dialog = page.getByRole('dialog', { name: 'Attic joins another Lanthorn' });
  await expect(dialog.getByText('lanthorn pair ADDRESS')).toBeVisible();
  for (const heading of ['What changes', 'What stays as it is']) {
    await expect(dialog.getByRole('heading', { name: heading })).toBeVisible();
  }
  await page.keyboard.press('Escape');
  await expect(dialog).toHaveCount(0);
  await expect(join).toBeFocused();
});

test('edit, merge what somebody else changed, and restore: by keys alone', async ({ machine, page }) => {
  const lines = 'Alfama\n\nBelém\n\nThe tram\n';
  const file = machine.put('notes.txt', lines);
  const now = () => readFileSync(file, 'utf8');
  await page.goto(await machine.address(page));
  await expect(page.getByRole('row', { name: 'notes.txt' })).toBeVisible();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Space');
  await expect(page.getByRole('dialog', { name: 'Preview of notes.txt' })).toBeVisible();
  await page.keyboard.press('e');
  const text = page.getByRole('textbox', { name: 'Text of notes.txt' });
  await expect(text).toBeFocused();
  await page.keyboard.press('Control+Home');
  await page.keyboard.press('End');
  await page.keyboard.type(', mine');

  machine.put('notes.txt', lines.replace('Alfama', 'Alfama, theirs').replace('The tram', 'The tram, theirs'));
  await page.keyboard.press('Control+s');
  await expect(page.getByRole('button', { name: 'Merge', exact: true })).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(page.getByText('1 place to choose · 1 joined')).toBeVisible();
  await tabTo(page, page.getByRole('radio', { name: 'Yours' }));
  await page.keyboard.press('ArrowRight');
  await expect(page.getByRole('radio', { name: 'On the machine' })).toBeChecked();
  const result = page.getByRole('textbox', { name: /^Result for notes.txt/ });
  await tabTo(page, result);
  await page.keyboard.press('Control+End');
  await page.keyboard.type('Written in the result');
  // Out of the text: Esc gives Tab back to the page.
  await page.keyboard.press('Escape');
  await page.keyboard.press('Shift+Tab');
  await expect(result).not.toBeFocused();
  await page.keyboard.press('Control+s');
  await expect(text).toBeFocused();
  expect(now()).toBe('Alfama, theirs\n\nBelém\n\nThe tram, theirs\nWritten in the result');

  await page.keyboard.press('Escape');
  for (let back = 0; back < 2; back += 1) await page.keyboard.press('Shift+Tab');
  await tabTo(page, page.getByRole('button', { name: 'Versions' }));
  await page.keyboard.press('Enter');
  const versions = page.getByRole('dialog', { name: 'Versions of notes.txt' });
  await expect(versions.getByRole('listitem')).not.toHaveCount(0);
  await tabTo(page, versions.getByRole('button', { name: 'Restore' }));
  await page.keyboard.press('Enter');
  await expect.poll(now).toBe('Alfama, theirs\n\nBelém\n\nThe tram, theirs\n');
});

test('an offer is accepted, and a link made, by keys alone', async ({ machine, second, page }) => {
  test.setTimeout(120_000);
  await joinAsAna(machine, second, page);
  await page.goto(`${machine.url}/inbox`);
  const sending = offer(machine, second, [second.put('film.bin', 'film')], '--passcode', '4829');
  await expect(page.getByRole('article')).toBeVisible();
  await tabTo(page, page.getByLabel('Take film.bin'));
  await page.keyboard.press('Space');
  await expect(page.getByRole('button', { name: 'Accept 0 of 1…' })).toBeDisabled();
  await page.keyboard.press('Space');
  await tabTo(page, page.getByRole('button', { name: 'Accept…' }));
  await page.keyboard.press('Enter');
  await tabTo(page, page.getByLabel('Passcode'));
  await page.keyboard.press('Control+a');
  await page.keyboard.type('4829');
  await page.keyboard.press('Enter');
  expect((await sending.ended).code).toBe(0);

  await page.goto(`${machine.url}/transfers`);
  await tabTo(page, page.getByRole('button', { name: 'Show in folder: film.bin' }));
  await page.keyboard.press('Enter');
  await expect(page.getByRole('dialog', { name: 'Preview of film.bin' })).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(page.getByRole('heading', { name: 'Transfers', level: 1 })).toBeVisible();

  machine.put('notes.txt', 'words');
  await page.goto(`${machine.url}/files`);
  const attic = page.getByRole('region', { name: 'Attic' });
  await expect(attic).toBeVisible();
  await tabTo(page, attic.getByRole('link', { name: 'Shared files' }));
  await page.keyboard.press('Enter');
  await expect(page.getByRole('row', { name: 'notes.txt' })).toBeVisible();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Control+Enter');
  await tabTo(page, page.getByRole('button', { name: 'Make a link instead…' }));
  await page.keyboard.press('Enter');
  await tabTo(page, page.getByRole('button', { name: 'Make the link' }));
  await page.keyboard.press('Enter');
  await expect(page.getByRole('img', { name: 'QR code of the link' })).toBeVisible();
  await tabTo(page, page.getByRole('button', { name: 'Done' }));
  await page.keyboard.press('Enter');
  await expect(page.getByRole('dialog')).toHaveCount(0);
});
