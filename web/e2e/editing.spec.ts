// Editing text in the browser: what is written, what is kept, and what happens when somebody else was there first.
import { existsSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, Locator, Page } from '@playwright/test';
import { expect, PIN, test, type Machine } from './rig';

const NOTES = '# Lisboa\n\n- Alfama\n- Belém\n- The tram\n\nThe last train leaves at 23:40.\n';

const text = (page: Page, name = 'notes.md'): Locator =>
  page.getByRole('textbox', { name: `Text of ${name}`, exact: true });
const dialog = (page: Page, name: string): Locator => page.getByRole('dialog', { name });
const button = (page: Page, name: string): Locator => page.getByRole('button', { name, exact: true });

async function editAddress(machine: Machine, page: Page, path = 'notes.md'): Promise<string> {
  return (await machine.address(page, path)).replace('/files/', '/edit/');
}

async function edit(machine: Machine, page: Page, path = 'notes.md'): Promise<void> {
  await page.goto(await editAddress(machine, page, path));
  await expect(text(page, path)).toBeFocused();
}

/** Types at the end of the line that begins so. */
async function append(page: Page, line: string, typed: string): Promise<void> {
  await page.locator('.cm-line:visible', { hasText: line }).first().click();
  await page.keyboard.press('End');
  await page.keyboard.type(typed);
}

const saved = (page: Page) =>
  expect(page.getByRole('main').getByText('Saved', { exact: true }).first()).toBeVisible();

async function save(page: Page): Promise<void> {
  await page.keyboard.press('Control+s');
  await saved(page);
}

/** Somebody else at another browser. */
async function somebody(machine: Machine, browser: Browser): Promise<Page> {
  const page = await browser.newPage({ locale: 'en-GB', timezoneId: 'UTC', reducedMotion: 'reduce' });
  await page.request.post(`${machine.url}/api/v1/auth/login`, {
    headers: { 'X-Lanthorn': '1', Origin: machine.url },
    data: { pin: PIN },
    failOnStatusCode: true,
  });
  return page;
}

const read = (machine: Machine, path = 'notes.md') => readFileSync(join(machine.shared, path), 'utf8');

test.beforeEach(({ machine }) => {
  machine.put('notes.md', NOTES);
});

test('a text is edited from its preview and saved by keys alone, with nothing against the policy', async ({
  machine,
  page,
}) => {
  const refused: string[] = [];
  page.on('console', (message) => {
    if (/Content Security Policy|TrustedHTML|Trusted Type/i.test(message.text()))
      refused.push(message.text());
  });
  page.on('pageerror', (error) => refused.push(error.message));
  await page.goto(await machine.address(page, '', 'notes.md'));
  await expect(dialog(page, 'Preview of notes.md')).toBeVisible();
  await page.keyboard.press('e');
  await expect(text(page)).toBeFocused();
  await page.keyboard.press('Control+End');
  await page.keyboard.type('Written here.');
  await expect(page.getByText('Not saved yet').first()).toBeVisible();
  await save(page);
  expect(read(machine)).toBe(`${NOTES}Written here.`);

  // Tab indents, until Esc lets it lead on.
  await page.keyboard.press('Control+Home');
  await page.keyboard.press('Tab');
  await expect(text(page)).toBeFocused();
  await page.keyboard.press('Control+z');
  await page.keyboard.press('Escape');
  await expect(page.getByText('Tab now leaves the text').first()).toBeVisible();
  await page.keyboard.press('Shift+Tab');
  await expect(text(page)).not.toBeFocused();
  await button(page, 'Close the editor').focus();
  await page.keyboard.press('Enter');
  await expect(dialog(page, 'Preview of notes.md')).toBeVisible();
  expect(refused).toEqual([]);
});

test('encodings and line endings stay as they are', async ({ machine, page }) => {
  const utf16 = (text: string) => Buffer.from(`\ufeff${text}`, 'utf16le');
  machine.put('wide.txt', utf16('one\r\ntwo 🚋\r\nthree\r\n'));
  machine.put('bom.txt', '\ufeffone\r\ntwo\nthree\r\n');
  machine.put('old.txt', Buffer.from('caf\xe9\r\nna\xefve\r\n', 'latin1'));
  const bytes = (name: string) => readFileSync(join(machine.shared, name));

  await edit(machine, page, 'wide.txt');
  await expect(page.getByText('UTF-16LE')).toBeVisible();
  await append(page, 'two', '!');
  await save(page);
  expect(bytes('wide.txt')).toEqual(utf16('one\r\ntwo 🚋!\r\nthree\r\n'));

  machine.put('unmarked.txt', utf16('one\r\ntwo\r\n').subarray(2));
  await edit(machine, page, 'unmarked.txt');
  await expect(page.getByText('UTF-16LE no BOM')).toBeVisible();
  await append(page, 'two', ' 🚋');
  await save(page);
  expect(bytes('unmarked.txt')).toEqual(utf16('one\r\ntwo 🚋\r\n').subarray(2));

  await edit(machine, page, 'bom.txt');
  await append(page, 'two', '!');
  await save(page);
  expect(bytes('bom.txt')).toEqual(Buffer.from('\ufeffone\r\ntwo!\nthree\r\n'));

  await edit(machine, page, 'old.txt');
  await append(page, 'caf', ' €');
  await save(page);
  expect(bytes('old.txt')).toEqual(Buffer.from('caf\xe9 \x80\r\nna\xefve\r\n', 'latin1'));
  await append(page, 'caf', ' ş');
  await page.keyboard.press('Control+s');
  await expect(dialog(page, 'Some characters do not fit')).toContainText('ş');
  await button(page, 'Save as UTF-8').click();
  await saved(page);
  expect(bytes('old.txt')).toEqual(Buffer.from('café € ş\r\nnaïve\r\n'));
});

test('two people who edit one file merge, and nothing of either is lost', async ({
  machine,
  page,
  browser,
}) => {
  const other = await somebody(machine, browser);
  await edit(machine, page);
  await edit(machine, other);
  await expect(page.getByText('One other has this open').first()).toBeVisible();
  await append(page, 'Alfama', ' at night');
  await append(page, 'The last train', ' Mine.');
  await append(other, 'Alfama', ' by day');
  await append(other, 'Lisboa', ', theirs');
  await save(other);
  const theirs = read(machine);
  await expect(page.getByText('The file was changed elsewhere')).toBeVisible();

  await page.keyboard.press('Control+s');
  await expect(dialog(page, 'Two versions')).toBeVisible();
  expect(read(machine)).toBe(theirs);
  await expect(button(page, 'Merge')).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(page.getByRole('heading', { name: 'Merge notes.md' })).toBeVisible();
  await expect(page.getByText('1 place to choose · 2 joined')).toBeVisible();

  // Not before every place is chosen.
  await button(page, 'Save the result').click();
  await expect(page.getByRole('alert')).toContainText('Choose for this place first');
  await page.getByRole('radio', { name: 'Yours' }).focus();
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('ArrowRight');
  await expect(page.getByRole('radio', { name: 'Both' })).toBeChecked();
  await expect(page.getByText('Nothing left to choose · 3 joined')).toBeVisible();

  // Once more under the hands: that is merged as well.
  await append(other, 'Belém', ' once more');
  await save(other);
  await button(page, 'Save the result').click();
  await expect(page.getByText('changed once more while you were merging')).toBeVisible();
  await button(page, 'Save the result').click();
  await expect(text(page)).toBeFocused();
  expect(read(machine)).toBe(
    '# Lisboa, theirs\n\n- Alfama at night\n- Alfama by day\n- Belém once more\n- The tram\n\nThe last train leaves at 23:40. Mine.\n',
  );
  await expect(text(other)).toContainText('Alfama at night');

  // What was replaced is all there.
  await button(page, 'Versions').click();
  const versions = dialog(page, 'Versions of notes.md');
  await expect(versions.getByRole('listitem')).toHaveCount(3);
  await versions.getByRole('listitem').nth(1).getByRole('button').click();
  await versions.getByRole('radio', { name: 'This version' }).click();
  await expect(versions.getByRole('textbox')).toContainText('Alfama by day');
  await expect(versions.getByRole('textbox')).not.toContainText('once more');
  await other.close();
});

test('overwriting shows what goes, and keeps it', async ({ machine, page }) => {
  await edit(machine, page);
  await append(page, 'Alfama', ' mine');
  machine.put('notes.md', 'theirs\n');
  await page.keyboard.press('Control+s');
  await button(page, 'Overwrite…').click();
  const shown = dialog(page, 'Replace the other version?');
  await expect(shown).toContainText('theirs');
  await shown.getByRole('button', { name: 'Overwrite' }).click();
  await saved(page);
  expect(read(machine)).toContain('Alfama mine');
  await button(page, 'Versions').click();
  await expect(dialog(page, 'Versions of notes.md').getByRole('listitem')).not.toHaveCount(0);
  await dialog(page, 'Versions of notes.md').getByRole('radio', { name: 'This version' }).click();
  await expect(dialog(page, 'Versions of notes.md').getByRole('textbox')).toHaveText('theirs');
});

test('what another program does on the disk is told within a second', async ({ machine, page }) => {
  await edit(machine, page);
  machine.put('notes.md', 'written by a program\n');
  await expect(text(page)).toContainText('written by a program', { timeout: 1_000 });
  await expect(page.getByText('The file was changed elsewhere. This is its present text.')).toBeVisible();

  await append(page, 'written', ', and by me');
  machine.put('notes.md', 'written again\n');
  await expect(page.getByText('changed elsewhere while you were editing')).toBeVisible({ timeout: 1_000 });
  await expect(text(page)).toContainText('and by me');
  await button(page, 'Merge now').click();
  await page.getByRole('radio', { name: 'On the machine' }).click();
  await button(page, 'Save the result').click();
  await expect(text(page)).toHaveText('written again');
  expect(read(machine)).toBe('written again\n');

  const file = join(machine.shared, 'notes.md');
  rmSync(file);
  await expect(page.getByText('The file is not there any more')).toBeVisible({ timeout: 1_000 });
  await append(page, 'written', ' and again');
  await page.keyboard.press('Control+s');
  await button(page, 'Save it here again').click();
  await saved(page);
  expect(readFileSync(file, 'utf8')).toBe('written again and again\n');
});

test('unsaved changes outlive a reload, and are let go when they are not wanted', async ({
  machine,
  page,
}) => {
  await edit(machine, page);
  await append(page, 'Alfama', ' unsaved');
  const kept = () =>
    page.evaluate(
      () =>
        new Promise<number>((done) => {
          const opening = indexedDB.open('lanthorn-drafts');
          opening.onsuccess = () => {
            const counting = opening.result.transaction('drafts').objectStore('drafts').count();
            counting.onsuccess = () => done(counting.result);
          };
        }),
    );
  await expect.poll(kept).toBe(1);
  let warned = 0;
  page.on('dialog', (question) => {
    warned += 1;
    void question.accept();
  });
  await page.reload();
  expect(warned).toBe(1);
  await expect(page.getByText(/You have unsaved changes from \d\d:\d\d/)).toBeVisible();
  await expect(text(page)).not.toContainText('unsaved');
  await button(page, 'Go on with them').click();
  await expect(text(page)).toContainText('Alfama unsaved');
  await save(page);
  expect(read(machine)).toContain('- Alfama unsaved\n');
  await expect.poll(kept).toBe(0);

  await append(page, 'Belém', ' unwanted');
  await expect.poll(kept).toBe(1);
  await page.reload();
  await button(page, 'Discard them').click();
  await expect.poll(kept).toBe(0);
  await expect(text(page)).not.toContainText('unwanted');
});

test('a merge that is half done outlives a reload', async ({ machine, page }) => {
  await edit(machine, page);
  await append(page, 'Alfama', ' mine');
  await append(page, 'The last train', ' mine');
  const theirs = NOTES.replace('Alfama', 'Alfama, theirs').replace('The last', 'Theirs: the last');
  machine.put('notes.md', theirs);
  await button(page, 'Merge now').click();
  await expect(page.getByText('2 places to choose')).toBeVisible();
  await page.getByRole('radio', { name: 'Both' }).click();
  await expect(page.getByText('1 place to choose · 1 joined')).toBeVisible();
  const kept = () =>
    page.evaluate(
      () =>
        new Promise<boolean>((done) => {
          const opening = indexedDB.open('lanthorn-drafts');
          opening.onsuccess = () => {
            const all = opening.result.transaction('drafts').objectStore('drafts').getAll();
            all.onsuccess = () => done(all.result.some((draft) => draft.merging?.open.length === 1));
          };
        }),
    );
  await expect.poll(kept).toBe(true);
  page.on('dialog', (question) => void question.accept());
  await page.reload();
  await expect(page.getByText('They were being merged; what was chosen is kept.')).toBeVisible();
  await button(page, 'Go on with them').click();
  await expect(page.getByText('1 place to choose · 1 joined')).toBeVisible();
  await page.getByRole('radio', { name: 'Yours' }).click();
  await button(page, 'Save the result').click();
  await expect(text(page)).toBeFocused();
  expect(read(machine)).toBe(
    theirs
      .replace('Alfama, theirs', 'Alfama mine\n- Alfama, theirs')
      .replace('Theirs: the last train leaves at 23:40.', 'The last train leaves at 23:40. mine'),
  );
});

test('closing with changes asks, and walking away keeps them', async ({ machine, page }) => {
  await page.goto(await machine.address(page, '', 'notes.md'));
  await button(page, 'Edit').click();
  await append(page, 'Alfama', ' for later');
  await button(page, 'Close the editor').click();
  const question = dialog(page, 'Save before closing?');
  await question.getByRole('button', { name: 'Keep for later' }).click();
  await expect(dialog(page, 'Preview of notes.md')).toBeVisible();
  await expect(page.getByText('Your changes to notes.md are kept in this browser.')).toBeAttached();

  await edit(machine, page);
  await button(page, 'Go on with them').click();
  await expect(text(page)).toContainText('for later');
  await button(page, 'Close the editor').click();
  await question.getByRole('button', { name: 'Save and close' }).click();
  await expect(text(page)).toHaveCount(0);
  expect(read(machine)).toContain('Alfama for later');
});

test('the merge desk has what waits, with a mark in the navigation', async ({ machine, page }) => {
  await edit(machine, page);
  await append(page, 'Alfama', ' mine');
  machine.put('notes.md', NOTES.replace('The tram', 'The tram, theirs'));
  await expect(page.getByText('changed elsewhere while you were editing')).toBeVisible();
  const nav = page.getByRole('navigation', { name: 'Sections' });
  await nav.getByRole('link', { name: 'Files' }).click();
  await nav.getByRole('link', { name: /Two versions.*1 file/ }).click();
  const item = page.getByRole('main').getByRole('listitem');
  await expect(item).toContainText('notes.md');
  await item.getByRole('link', { name: 'Merge' }).click();
  await expect(page.getByText('Nothing left to choose · 2 joined')).toBeVisible();
  await button(page, 'Save the result').click();
  await expect(text(page)).toBeFocused();
  expect(read(machine)).toBe(NOTES.replace('Alfama', 'Alfama mine').replace('The tram', 'The tram, theirs'));
  await expect(nav.getByRole('link', { name: /Two versions/ })).toHaveCount(0);

  await append(page, 'Belém', ' mine');
  machine.put('notes.md', 'something else\n');
  await expect(page.getByText('changed elsewhere while you were editing')).toBeVisible();
  await nav.getByRole('link', { name: 'Files' }).click();
  await nav.getByRole('link', { name: /Two versions/ }).click();
  await item.getByRole('button', { name: 'Keep mine as a copy' }).click();
  await expect(page.getByText('Every change is in its place')).toBeVisible();
  expect(read(machine, 'notes (mine).md')).toContain('Belém mine');
  expect(read(machine)).toBe('something else\n');
});

test('a former version is looked at, restored, and that is undone', async ({ machine, page }) => {
  await edit(machine, page);
  await append(page, 'Alfama', ' changed');
  await save(page);
  await button(page, 'Versions').click();
  const versions = dialog(page, 'Versions of notes.md');
  await expect(versions.getByRole('listitem')).toHaveCount(1);
  await expect(versions.getByRole('listitem')).toContainText('replaced by you');
  await expect(versions.locator('.cm-merge-b .cm-changedLine')).toContainText('Alfama changed');
  await versions.getByRole('radio', { name: 'In one' }).click();
  await expect(versions.locator('.cm-deletedChunk, .cm-changedLine').first()).toContainText('Alfama');
  await versions.getByRole('button', { name: 'Restore' }).click();
  await expect(text(page)).toHaveText(/Alfama- Belém/);
  expect(read(machine)).toBe(NOTES);
  await button(page, 'Undo').click();
  await expect(text(page)).toContainText('Alfama changed');
  expect(read(machine)).toContain('Alfama changed');
});

test('a new text file is named, written and saved', async ({ machine, page }) => {
  await page.goto(await machine.address(page));
  await button(page, 'Add').click();
  await page.getByRole('menuitem', { name: 'New text file…' }).click();
  await expect(page.getByLabel('Name of the file')).toBeFocused();
  await page.keyboard.type('notes');
  await page.keyboard.press('End');
  await page.keyboard.press('Backspace');
  await page.keyboard.press('Backspace');
  await page.keyboard.press('Backspace');
  await page.keyboard.type('md');
  await page.keyboard.press('Enter');
  await expect(dialog(page, 'New text file').getByRole('alert')).toBeVisible();
  expect(read(machine)).toBe(NOTES);
  await page.getByLabel('Name of the file').fill('list.txt');
  await page.keyboard.press('Enter');
  await expect(text(page, 'list.txt')).toBeFocused();
  await page.keyboard.type('first');
  await save(page);
  expect(read(machine, 'list.txt')).toBe('first');
});

test('what cannot be edited is said, and can be downloaded', async ({ machine, page }) => {
  machine.put('large.txt', 'x'.repeat(5 * 1024 * 1024 + 1));
  machine.put('data.txt', new Uint8Array([0x61, 0, 0x62]));
  await page.goto(await editAddress(machine, page, 'large.txt'));
  await expect(page.getByRole('heading', { name: 'Too large to be edited here' })).toBeVisible();
  await expect(page.getByRole('link', { name: 'Download' })).toBeVisible();
  await page.goto(await editAddress(machine, page, 'data.txt'));
  await expect(page.getByRole('heading', { name: 'These bytes are not text' })).toBeVisible();
});

test('a file that moves away while it is edited is put back by saving only', async ({ machine, page }) => {
  await edit(machine, page);
  const [here, there] = ['notes.md', 'moved.md'].map((name) => join(machine.shared, name)) as [
    string,
    string,
  ];
  renameSync(here, there);
  await expect(page.getByText('The file is not there any more')).toBeVisible();
  expect(existsSync(here)).toBe(false);
  await page.keyboard.press('Control+s');
  await button(page, 'Save it here again').click();
  await expect(page.getByText('The file is not there any more')).toHaveCount(0);
  expect(readFileSync(here, 'utf8')).toBe(NOTES);
});
