// Files are renamed, moved, copied, deleted and brought back: by keys, by menu, by dragging; and whatever was done is
// undone.
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from '@playwright/test';
import { expect, test, type Machine } from './rig';

const row = (page: Page, name: string) => page.getByRole('row', { name }).first();
const undo = (page: Page) => page.getByRole('status').getByRole('button', { name: 'Undo' });

async function open(machine: Machine, page: Page, path = 'trip'): Promise<void> {
  await page.goto(await machine.address(page, path));
  await expect(page.getByRole('grid')).toBeVisible();
}

const names = (machine: Machine, path = 'trip') => readdirSync(join(machine.shared, path)).sort();

test('renamed, deleted and undone by keys alone', async ({ machine, page }) => {
  machine.put('trip/draft.txt', 'words');
  machine.put('trip/other.txt', 'x');
  await open(machine, page);
  await expect(row(page, 'draft.txt')).toBeVisible();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('F2');
  const field = page.getByRole('dialog').getByLabel('New name');
  await expect(field).toBeFocused();
  // The ending is not chosen: typing keeps it.
  await page.keyboard.type('final');
  await page.keyboard.press('Enter');
  await expect(row(page, 'final.txt')).toHaveAttribute('aria-selected', 'true');
  expect(names(machine)).toEqual(['final.txt', 'other.txt']);

  await page.keyboard.press('Delete');
  await expect(page.getByRole('status').filter({ hasText: 'final.txt is in the trash' })).toBeVisible();
  await expect(row(page, 'final.txt')).toHaveCount(0);
  expect(names(machine)).toEqual(['other.txt']);
  await page.keyboard.press('Control+z');
  await expect(row(page, 'final.txt')).toBeVisible();
  await page.keyboard.press('Control+z');
  await expect(row(page, 'draft.txt')).toBeVisible();
  await page.keyboard.press('Control+z');
  await expect(page.getByText('There is nothing to undo.')).toBeVisible();
  expect(readFileSync(join(machine.shared, 'trip/draft.txt'), 'utf8')).toBe('words');
});

test('a name that is taken is said where it is typed', async ({ machine, page }) => {
  machine.put('trip/a.txt', 'a');
  machine.put('trip/b.txt', 'b');
  await open(machine, page);
  await row(page, 'a.txt').click();
  await page.keyboard.press('F2');
  const field = page.getByRole('dialog').getByLabel('New name');
  await field.fill('b.txt');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('dialog').getByRole('alert')).toBeVisible();
  await field.fill('x/y');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('dialog').getByRole('alert')).toContainText('cannot have a “/”');
  await field.fill('c\\d.txt');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('dialog')).toHaveCount(0);
  expect(names(machine)).toEqual(['b.txt', 'c\\d.txt']);
});

test('cut and pasted into another folder, copied beside itself', async ({ machine, page }) => {
  machine.put('trip/a.txt', 'a');
  machine.put('trip/b.txt', 'b');
  machine.put('trip/inner/a.txt', 'other a');
  await open(machine, page);
  await row(page, 'a.txt').click();
  await page.keyboard.press('Shift+ArrowDown');
  await page.keyboard.press('Control+x');
  await expect(page.getByText('2 items cut')).toBeVisible();
  await row(page, 'inner').dblclick();
  await expect(page).toHaveURL(/inner$/);
  await expect(row(page, 'a.txt')).toBeVisible();
  await page.keyboard.press('Control+v');
  const asks = page.getByRole('dialog', { name: '“a.txt” is there already' });
  await asks.getByRole('button', { name: 'Keep both' }).click();
  await expect(page.getByText('2 items moved to inner')).toBeVisible();
  await expect(row(page, 'b.txt')).toBeVisible();
  expect(names(machine, 'trip/inner')).toEqual(['a (1).txt', 'a.txt', 'b.txt']);
  expect(names(machine)).toEqual(['inner']);
  await undo(page).click();
  await expect.poll(() => names(machine)).toEqual(['a.txt', 'b.txt', 'inner']);
  await expect(row(page, 'b.txt')).toHaveCount(0);

  await row(page, 'a.txt').click();
  await page.keyboard.press('Control+c');
  await page.keyboard.press('Control+v');
  await expect(row(page, 'a (1).txt')).toBeVisible();
  expect(readFileSync(join(machine.shared, 'trip/inner/a (1).txt'), 'utf8')).toBe('other a');
});

test('copied and moved to another share, and taken back in both', async ({ machine, page }) => {
  machine.put('trip/a.txt', 'a');
  machine.put('trip/inner/b.txt', 'b');
  const other = join(machine.home, 'Vault');
  mkdirSync(other);
  writeFileSync(join(other, 'a.txt'), 'theirs');
  await page.request.post(`${machine.url}/api/v1/catalog/shares`, {
    headers: { 'X-Lanthorn': '1', Origin: machine.url },
    data: { folder: other },
    failOnStatusCode: true,
  });
  const toOther = async () => {
    await page.getByRole('navigation', { name: 'Machines' }).getByRole('link', { name: 'Vault' }).click();
    await expect(row(page, 'a.txt')).toBeVisible();
  };
  await open(machine, page);
  await row(page, 'inner').click();
  await page.keyboard.press('Control+a');
  await page.keyboard.press('Control+c');
  await toOther();
  await page.keyboard.press('Control+v');
  const asks = page.getByRole('dialog', { name: '“a.txt” is there already' });
  await asks.getByRole('button', { name: 'Keep both' }).click();
  await expect(page.getByText('2 items copied to Vault')).toBeVisible();
  expect(
    readdirSync(other)
      .filter((name) => !name.startsWith('.'))
      .sort(),
  ).toEqual(['a (1).txt', 'a.txt', 'inner']);
  expect(readFileSync(join(other, 'inner/b.txt'), 'utf8')).toBe('b');
  expect(names(machine)).toEqual(['a.txt', 'inner']);
  await undo(page).click();
  await expect.poll(() => readdirSync(other).filter((name) => !name.startsWith('.'))).toEqual(['a.txt']);

  await open(machine, page);
  await row(page, 'inner').click();
  await page.keyboard.press('Control+x');
  await toOther();
  await page.keyboard.press('Control+v');
  await expect(page.getByText('1 item moved to Vault')).toBeVisible();
  expect(names(machine)).toEqual(['a.txt']);
  await undo(page).click();
  await expect.poll(() => names(machine)).toEqual(['a.txt', 'inner']);
  expect(readFileSync(join(machine.shared, 'trip/inner/b.txt'), 'utf8')).toBe('b');
  await expect.poll(() => existsSync(join(other, 'inner'))).toBe(false);
});

test('deleting a folder asks first; the trash gives it back, or ends it', async ({ machine, page }) => {
  machine.put('trip/inner/deep/a.txt', 'a');
  machine.put('trip/b.txt', 'b');
  machine.put('trip/c.txt', 'c');
  await open(machine, page);
  await row(page, 'inner').click({ button: 'right' });
  await page.getByRole('menuitem', { name: 'Delete' }).click();
  const asks = page.getByRole('dialog', { name: 'Delete inner?' });
  await asks.getByRole('button', { name: 'Cancel' }).click();
  expect(existsSync(join(machine.shared, 'trip/inner'))).toBe(true);
  await page.keyboard.press('Control+a');
  await page.keyboard.press('Delete');
  await page.getByRole('dialog').getByRole('button', { name: 'Delete', exact: true }).click();
  await expect(page.getByText('3 items are in the trash')).toBeVisible();
  await expect(page.getByText('Nothing here yet')).toBeVisible();
  expect(names(machine)).toEqual([]);

  await page.getByRole('button', { name: 'Order' }).click();
  await page.getByRole('menuitem', { name: 'Trash' }).click();
  const list = page.getByRole('list', { name: 'Trash of Shared files' });
  await expect(list.getByRole('listitem')).toHaveCount(3);
  await list.getByRole('button', { name: 'Restore inner' }).click();
  await expect(page.getByText('inner is back where it was')).toBeVisible();
  expect(readFileSync(join(machine.shared, 'trip/inner/deep/a.txt'), 'utf8')).toBe('a');
  await list.getByRole('button', { name: 'Delete for good…: b.txt' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete for good' }).click();
  await expect(list.getByRole('listitem')).toHaveCount(1);
  await page.getByRole('button', { name: 'Empty the trash…' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Empty it' }).click();
  await expect(page.getByRole('heading', { name: 'The trash is empty' })).toBeVisible();
  expect(names(machine)).toEqual(['inner']);
});

test('many names are changed alike, as the preview says', async ({ machine, page }) => {
  for (const n of [1, 2, 3]) machine.put(`trip/IMG_${n}.jpg`, 'x');
  await open(machine, page);
  await expect(row(page, 'IMG_1.jpg')).toBeVisible();
  await page.keyboard.press('Control+a');
  await page.keyboard.press('F2');
  const dialog = page.getByRole('dialog', { name: 'Rename 3 items' });
  await dialog.getByLabel('Find').fill('img_');
  await dialog.getByLabel('Replace with').fill('Lisboa ');
  await expect(dialog.getByRole('list', { name: 'New names' })).toContainText('Lisboa 3.jpg');
  await expect(dialog.getByText('3 names change')).toBeVisible();
  await dialog.getByRole('radio', { name: 'Number them' }).click();
  await dialog.getByLabel('Name', { exact: true }).fill('Tram {n}');
  await dialog.getByLabel('First number').fill('7');
  await expect(dialog.getByRole('list', { name: 'New names' })).toContainText('Tram 9.jpg');
  expect(names(machine)).toEqual(['IMG_1.jpg', 'IMG_2.jpg', 'IMG_3.jpg']);
  await dialog.getByRole('button', { name: 'Rename' }).click();
  await expect(row(page, 'Tram 9.jpg')).toBeVisible();
  expect(names(machine)).toEqual(['Tram 7.jpg', 'Tram 8.jpg', 'Tram 9.jpg']);
  await undo(page).click();
  await expect.poll(() => names(machine)).toEqual(['IMG_1.jpg', 'IMG_2.jpg', 'IMG_3.jpg']);
});

test('a new folder is made, and things are dragged into it and out again', async ({ machine, page }) => {
  machine.put('trip/a.txt', 'a');
  await open(machine, page);
  await page.getByRole('button', { name: 'Add', exact: true }).click();
  await page.getByRole('menuitem', { name: 'New folder…' }).click();
  await page.getByRole('dialog').getByLabel('Name of the folder').fill('Best of');
  await page.keyboard.press('Enter');
  await expect(row(page, 'Best of')).toHaveAttribute('aria-selected', 'true');
  await row(page, 'a.txt').dragTo(row(page, 'Best of'));
  await expect(page.getByText('1 item moved to Best of')).toBeVisible();
  expect(names(machine, 'trip/Best of')).toEqual(['a.txt']);
  await row(page, 'Best of').dblclick();
  await expect(row(page, 'a.txt')).toBeVisible();
  const up = page.getByRole('navigation', { name: 'Path' }).getByRole('link', { name: 'trip' });
  await row(page, 'a.txt').dragTo(up);
  await expect(page.getByText('1 item moved to trip')).toBeVisible();
  expect(names(machine)).toEqual(['Best of', 'a.txt']);
});

test('what cannot be done is said, item by item, and the rest is done', async ({ machine, page }) => {
  machine.put('trip/a.txt', 'a');
  machine.put('trip/b.txt', 'b');
  await open(machine, page);
  await expect(row(page, 'b.txt')).toBeVisible();
  // Gone behind the page's back, between looking and doing.
  await page.route('**/shares/*/delete', async (route) => {
    const body = route.request().postDataJSON() as { paths: string[] };
    await route.continue({ postData: { paths: [...body.paths, 'trip/never there.txt'] } });
  });
  await page.keyboard.press('Control+a');
  await page.keyboard.press('Delete');
  const problems = page.getByRole('dialog', { name: '1 item could not be changed' });
  await expect(problems).toContainText('trip/never there.txt');
  await problems.getByRole('button', { name: 'Close' }).last().click();
  expect(names(machine)).toEqual([]);
});
