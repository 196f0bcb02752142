// What is downloaded is what is shared: folders and choices as zip and tar, unpacked by others' programs.
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from '@playwright/test';
import { expect, test, type Machine } from './rig';
import { picture } from './samples';
import { treeOf } from './tree';

const UNPACK = {
  zip: (file: string, into: string) => execFileSync('unzip', ['-q', file, '-d', into], UTF8),
  tar: (file: string, into: string) => execFileSync('tar', ['-xf', file, '-C', into], UTF8),
};
const UTF8 = { env: { PATH: process.env.PATH, LC_ALL: 'C.UTF-8', TZ: 'UTC' } };

/** A tree with what archives get wrong: empty things, long and foreign names, what is packed already, much of it. */
function plant(machine: Machine): void {
  machine.put('trips/Lisboa/tram.png', picture(300, 200));
  machine.put('trips/Lisboa/notes.txt', 'Um dia em Lisboa.\n'.repeat(5_000));
  machine.put('trips/Édition finale/été – 夏 🌞.txt', 'ça va');
  machine.put(`trips/${'long name '.repeat(20)}.bin`, randomBytes(2_000_000));
  machine.put('trips/empty.txt', '');
  const old = machine.put('trips/old.txt', 'from another year');
  utimesSync(old, new Date('2009-02-13T23:31:30Z'), new Date('2009-02-13T23:31:30Z'));
  mkdirSync(join(machine.shared, 'trips/Nothing here'));
}

async function save(page: Page, begin: () => Promise<void>): Promise<string> {
  const [download] = await Promise.all([page.waitForEvent('download'), begin()]);
  return download.path();
}

for (const format of ['zip', 'tar'] as const) {
  test(`a folder as ${format} holds the tree, byte by byte`, async ({ machine, page }) => {
    plant(machine);
    await page.goto(await machine.address(page));
    await page.getByRole('row', { name: 'trips' }).click({ button: 'right' });
    const line = page.getByRole('menuitem', { name: `Download as ${format}` });
    const file = await save(page, () => line.click());
    const into = join(machine.home, 'unpacked');
    mkdirSync(into);
    UNPACK[format](file, into);
    const shared = treeOf(join(machine.shared, 'trips'));
    expect(shared).toHaveLength(9);
    expect(treeOf(join(into, 'trips'))).toEqual(shared);
  });
}

test('a choice as zip holds what was chosen and nothing else', async ({ machine, page }) => {
  plant(machine);
  machine.put('trips/not chosen.txt', 'no');
  await page.goto(await machine.address(page, 'trips'));
  await page.getByRole('row', { name: 'Lisboa' }).click();
  await page.getByRole('row', { name: 'old.txt' }).click({ modifiers: ['Control'] });
  await page.getByRole('main').getByRole('button', { name: 'Download' }).click();
  const line = page.getByRole('menuitem', { name: 'Download as zip' });
  const file = await save(page, () => line.click());
  const into = join(machine.home, 'unpacked');
  UNPACK.zip(file, into);
  const chosen = treeOf(join(machine.shared, 'trips')).filter((line) => /^(Lisboa|old\.txt)/.test(line));
  expect(chosen).toHaveLength(4);
  expect(treeOf(into)).toEqual(chosen);
});
