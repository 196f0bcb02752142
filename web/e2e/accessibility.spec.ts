// What a program can tell of accessibility: axe finds nothing on any page, in light and in dark, wide and narrow.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Page } from '@playwright/test';
import type { AxeResults } from 'axe-core';
import { hold, own, tray } from './dropping';
import { expect, PIN, test } from './rig';
import { film, pdf, picture } from './samples';
import { joinAsAna, offer } from './sending';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const THEMES = ['light', 'dark'] as const;

/** Past the content security policy of the page, which lets no foreign script in. */
async function evaluate(page: Page, expression: string): Promise<unknown> {
  const browser = await page.context().newCDPSession(page);
  const { result, exceptionDetails } = await browser.send('Runtime.evaluate', {
    expression,
    awaitPromise: true,
    returnByValue: true,
  });
  await browser.detach();
  if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
  return result.value;
}

/** Says what is wrong on the page as it stands, in either theme. */
async function check(page: Page, what: string): Promise<void> {
  for (const colorScheme of THEMES) {
    await page.emulateMedia({ colorScheme });
    if ((await evaluate(page, 'typeof axe')) === 'undefined') await evaluate(page, `${AXE};0`);
    // What is in the sandboxed frames is the share's, not ours.
    const found = (await evaluate(page, `axe.run(document, { iframes: false })`)) as AxeResults;
    const wrong = found.violations.map(({ id, nodes }) => `${id}: ${nodes.map((n) => n.html).join('\n   ')}`);
    expect.soft(wrong, `${what}, ${colorScheme}`).toEqual([]);
    expect(found.passes.length, `${what}: axe had something to look at`).toBeGreaterThan(5);
    const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    expect.soft(over, `${what}: nothing sticks out sideways`).toBeLessThanOrEqual(0);
  }
}

const SIZES = {
  'a desk': { viewport: { width: 1440, height: 900 } },
  'a phone': { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true },
};

for (const [size, options] of Object.entries(SIZES)) {
  test.describe(`on ${size}`, () => {
    test.use(options);

    test('the ways in are accessible', async ({ fresh, page, browser }) => {
      await page.goto(fresh.url);
      await expect(page.getByRole('heading', { name: 'Welcome to Lanthorn' })).toBeVisible();
      await check(page, 'setup');
      await page.getByRole('button', { name: 'Start sharing' }).click();
      await check(page, 'setup with faults');
      await page.getByRole('button', { name: 'Choose…' }).click();
      await expect(page.getByRole('dialog').getByText('No folders in here.')).toBeVisible();
      await check(page, 'folder chooser');

      if (fresh.openUrl) {
        const far = await browser.newPage({ ...options, locale: 'en-GB', reducedMotion: 'reduce' });
        await far.goto(fresh.openUrl);
        await expect(far.getByRole('heading', { name: 'This connection is not private yet' })).toBeVisible();
        await expect(far.getByRole('link', { name: 'Download the authority' })).toBeVisible();
        await check(far, 'the choice of privacy');
        await far.getByRole('button', { name: 'Continue without privacy' }).click();
        await expect(far.getByLabel('Setup code')).toBeVisible();
        await check(far, 'setup code');
        await far.close();
      }

      await fresh.setUp(page);
      await page.goto(`${fresh.url}/trust`);
      await expect(page.getByRole('link', { name: 'Download the authority' })).toBeVisible();
      await check(page, 'trust');
      await page.context().clearCookies();
      await page.goto(`${fresh.url}/sign-in`);
      const submit = page.getByRole('button', { name: 'Sign in' });
      await check(page, 'sign-in');
      await page.getByLabel('PIN', { exact: true }).fill('0000');
      await submit.click();
      await expect(page.getByText('That is not the PIN.')).toBeVisible();
      await check(page, 'sign-in with a wrong PIN');
      await page.getByLabel('PIN', { exact: true }).fill(PIN);
      await submit.click();
      await expect(page.getByRole('main').getByRole('link', { name: 'Shared files' })).toBeVisible();
      await page.goto(`${fresh.url}/settings`);
      await expect(page.getByRole('button', { name: 'Sign out here' })).toBeVisible();
      await check(page, 'settings');
      await page.goto(`${fresh.url}/nowhere/at/all`);
      await expect(page.getByRole('heading', { name: 'There is no such page' })).toBeVisible();
      await check(page, 'no such page');
    });

    test('machines, people, rights and the log are accessible', async ({ machine, page, browser }) => {
      await page.goto(`${machine.url}/devices`);
      const list = page.getByRole('list', { name: 'Machines' });
      await expect(list.getByRole('heading', { name: 'Attic' })).toBeVisible();
      await check(page, 'devices');
      await page.getByRole('button', { name: 'Join another Lanthorn…' }).click();
      await expect(page.getByRole('heading', { name: 'What stays as it is' })).toBeVisible();
      await check(page, 'joining another');
      await page.keyboard.press('Escape');
      await page.getByRole('main').getByRole('button', { name: 'Add a machine' }).click();
      await page.getByLabel('Code').fill('123');
      await page.keyboard.press('Enter');
      await expect(page.getByText('A code has six digits.')).toBeVisible();
      await check(page, 'adding a machine');

      await page.goto(`${machine.url}/people`);
      await expect(page.getByRole('heading', { name: 'Rooms', exact: true })).toBeVisible();
      await page.getByRole('button', { name: 'New room' }).click();
      await page.getByLabel('Name of the room').fill('Family');
      await page.keyboard.press('Enter');
      await expect(page.getByRole('dialog', { name: 'Who is in Family?' })).toBeVisible();
      await check(page, 'members');
      await page.getByRole('button', { name: 'Done' }).click();
      await page.getByRole('button', { name: 'New invite' }).click();
      await page.getByLabel('Name of the guest').fill('Ana');
      await page.getByLabel(/Shared files/).check();
      await check(page, 'making an invite');
      await page.getByRole('button', { name: 'Make the invite' }).click();
      await expect(page.getByRole('img', { name: 'QR code of the link' })).toBeVisible();
      await check(page, 'an invite');
      await page.getByRole('button', { name: 'Done' }).click();
      await check(page, 'people');

      await page.goto(`${machine.url}/files`);
      await page.getByRole('button', { name: 'Who can see this? Shared files' }).click();
      const dialog = page.getByRole('dialog');
      await dialog.getByLabel('Whom').selectOption({ label: 'Family' });
      await dialog.getByRole('radio', { name: 'Choose…' }).click();
      await expect(dialog.getByText('Nobody is in Family yet.')).toBeVisible();
      await check(page, 'who can see a share');
      await dialog.getByRole('button', { name: 'Give these rights' }).click();
      await dialog.getByRole('button', { name: 'Change the rights of Family' }).click();
      await check(page, 'changing rights');

      await page.goto(`${machine.url}/activity`);
      await page.getByText('Rights were given').first().click();
      await check(page, 'activity');
      await page.getByRole('switch', { name: 'Refused only' }).click();
      await expect(page.getByText('Nothing fits')).toBeVisible();
      await check(page, 'activity without what was allowed');

      const guest = await browser.newPage({ ...options, locale: 'en-GB', reducedMotion: 'reduce' });
      await guest.goto(`${machine.url}/invite#nothing`);
      await guest.getByRole('button', { name: 'Come in' }).click();
      await expect(guest.getByRole('alert')).toBeVisible();
      await check(guest, 'an invite that is over');
      await guest.close();
    });

    test('offers and transfers are accessible', async ({ machine, second, page }) => {
      test.setTimeout(120_000);
      await joinAsAna(machine, second, page);
      await page.goto(`${machine.url}/transfers`);
      await expect(page.getByText('Nothing has been sent yet')).toBeVisible();
      await check(page, 'no transfers');
      await page.goto(`${machine.url}/inbox`);
      await expect(page.getByText('Nothing waits for you')).toBeVisible();
      await check(page, 'an empty inbox');
      second.put('photos/boats.jpg', 'boats');
      const photos = join(second.shared, 'photos');
      const sending = offer(machine, second, [photos], '--message', 'Look', '--passcode', '1234');
      await page.getByRole('button', { name: 'What is in photos' }).click();
      await check(page, 'an offer');
      await page.getByRole('button', { name: 'Accept…' }).click();
      await check(page, 'accepting');
      await page.getByLabel('Always accept from Ana').check();
      await check(page, 'accepting always');
      await page.getByLabel('Always accept from Ana').uncheck();
      await page.getByRole('button', { name: 'Choose…' }).click();
      await expect(page.getByRole('navigation', { name: 'Places' })).toBeVisible();
      await check(page, 'choosing a folder');
      await page.keyboard.press('Escape');
      await page.getByLabel('Passcode').fill('4321');
      await page.getByRole('button', { name: 'Accept', exact: true }).click();
      await expect(page.getByText('Tell Ana these four digits')).toBeVisible();
      await check(page, 'a passcode');
      await sending.ended;
      await page.goto(`${machine.url}/transfers`);
      await expect(page.getByRole('list', { name: 'Under way' })).toBeVisible();
      await check(page, 'transfers');
      machine.put('notes.txt', 'words');
      await page.goto(`${machine.url}/files`);
      await page.getByRole('region', { name: 'Attic' }).getByRole('link', { name: 'Shared files' }).click();
      await expect(page.getByRole('row', { name: 'notes.txt' })).toBeVisible();
      await page.keyboard.press('ArrowDown');
      await page.keyboard.press('Control+Enter');
      await expect(page.getByRole('dialog', { name: 'Send notes.txt' })).toBeVisible();
      await check(page, 'sending');
    });

    test('links are accessible', async ({ machine, page, browser }) => {
      machine.put('notes.txt', 'words');
      machine.put('photos/boats.jpg', 'boats');
      await page.goto(await machine.address(page));
      await expect(page.getByRole('row', { name: 'notes.txt' })).toBeVisible();
      await page.keyboard.press('Control+a');
      await page.keyboard.press('Control+Enter');
      await page.getByRole('button', { name: 'Make a link instead…' }).click();
      await check(page, 'making a link');
      await page.getByRole('button', { name: 'Make the link' }).click();
      const link = page.getByText(/\/d\//).first();
      await expect(link).toBeVisible();
      await check(page, 'a link');
      const { pathname } = new URL(await link.innerText());
      await page.getByRole('button', { name: 'Done' }).click();
      const guest = await browser.newPage({ ...options, locale: 'en-GB', reducedMotion: 'reduce' });
      await guest.goto(`${machine.url}${pathname}`);
      await expect(guest.getByRole('button', { name: 'Download all' })).toBeVisible();
      await check(guest, 'where a link leads');
      await page.goto(`${machine.url}/transfers`);
      await expect(page.getByRole('heading', { name: 'Links' })).toBeVisible();
      await check(page, 'the list of links');
      await page.getByRole('button', { name: /^End the link to/ }).click();
      await expect(page.getByText(/leads nowhere any more$/)).toBeVisible();
      await guest.reload();
      await expect(guest.getByText('This link leads nowhere any more')).toBeVisible();
      await check(guest, 'a link that is over');
      await guest.close();
    });

    test('the explorer is accessible', async ({ machine, page }) => {
      machine.put('mix/tram.png', picture(300, 200));
      machine.put('mix/song.mp3', 'x');
      machine.put('mix/notes.txt', 'words\n'.repeat(50));
      machine.put('mix/inner/x.txt', 'x');
      machine.put('mix/empty/.keep', '');
      await page.goto(`${machine.url}/files`);
      await expect(page.getByRole('main').getByRole('link', { name: 'Shared files' })).toBeVisible();
      await check(page, 'machines');
      await page.goto(await machine.address(page, 'mix'));
      const row = page.getByRole('row', { name: 'notes.txt' });
      await expect(row).toBeVisible();
      await check(page, 'list');
      await page.keyboard.press('Control+a');
      await check(page, 'list with a choice');
      await page.keyboard.press('Escape');
      await page.keyboard.press('?');
      await expect(page.getByRole('dialog', { name: 'Keys' })).toBeVisible();
      await check(page, 'keys');
      await page.keyboard.press('Escape');
      await page.keyboard.press('ArrowDown');
      await page.keyboard.press('Shift+F10');
      await expect(page.getByRole('menu')).toBeVisible();
      await check(page, 'menu');
      await page.getByRole('menuitem', { name: 'Details' }).click();
      await check(page, 'details');
      await page.keyboard.press('Escape');
      await page.keyboard.press('g');
      await expect(page.getByRole('listbox')).toBeVisible();
      await check(page, 'grid');
      await page.goto(await machine.address(page, 'mix/empty'));
      await expect(page.getByText('Nothing here yet')).toBeVisible();
      await check(page, 'empty folder');
      await page.goto(await machine.address(page, 'nowhere'));
      await expect(page.getByRole('alert')).toBeVisible();
      await check(page, 'folder that is not there');
      await page.goto(`${await machine.address(page)}?q=not`);
      await expect(page.locator('[data-index="0"]')).toContainText('notes.txt');
      await check(page, 'search');
      await page.goto(`${await machine.address(page)}?q=zzzz`);
      await expect(page.getByText('Nothing found')).toBeVisible();
      await check(page, 'search without results');
    });

    test('editing is accessible', async ({ machine, page }) => {
      test.setTimeout(120_000);
      const text = 'Lisboa\n\nAlfama\nBelém\nThe tram\n';
      machine.put('notes.md', text);
      const address = (await machine.address(page, 'notes.md')).replace('/files/', '/edit/');
      const button = (name: string) => page.getByRole('button', { name, exact: true });
      await page.goto(address);
      await expect(page.getByRole('textbox', { name: 'Text of notes.md' })).toBeFocused();
      await check(page, 'editor');
      await page.keyboard.press('Control+f');
      await expect(page.getByRole('textbox', { name: 'Find', exact: true })).toBeVisible();
      await check(page, 'find and replace');
      await page.keyboard.press('Escape');
      await page.keyboard.press('Control+End');
      await page.keyboard.type('mine');
      machine.put('notes.md', `${text}theirs`);
      await page.keyboard.press('Control+s');
      await expect(page.getByRole('dialog', { name: 'Two versions' })).toBeVisible();
      await check(page, 'two versions');
      await button('Overwrite…').click();
      await expect(page.getByRole('dialog').locator('.cm-changedLine').first()).toBeVisible();
      await check(page, 'what would be replaced');
      await page.keyboard.press('Escape');
      await button('Merge now').click();
      await expect(page.getByRole('heading', { name: 'Merge notes.md' })).toBeVisible();
      await button(size === 'a phone' ? 'Save' : 'Save the result').click();
      await expect(page.getByRole('alert')).toBeVisible();
      await check(page, 'merge');
      await button('Back to the text').click();
      await button('Close the editor').click();
      await expect(page.getByRole('dialog', { name: 'Save before closing?' })).toBeVisible();
      await check(page, 'closing');
      await button('Keep for later').click();
      await page.goto(`${machine.url}/merge`);
      await expect(page.getByRole('link', { name: 'Merge', exact: true })).toBeVisible();
      await check(page, 'merge desk');
      await button('Discard mine').click();
      await check(page, 'discarding');
      await page.getByRole('dialog').getByRole('button', { name: 'Discard', exact: true }).click();
      await expect(page.getByText('Every change is in its place')).toBeVisible();
      await check(page, 'empty merge desk');

      await page.goto(address);
      await expect(page.getByRole('textbox', { name: 'Text of notes.md' })).toBeFocused();
      await page.keyboard.press('Control+End');
      await page.keyboard.type(' and more');
      await page.keyboard.press('Control+s');
      await expect(page.getByText('Saved', { exact: true }).first()).toBeVisible();
      if (size === 'a phone') {
        await page.getByRole('main').getByRole('button', { name: 'More', exact: true }).click();
        await page.getByRole('menuitem', { name: 'Versions' }).click();
        await page.getByRole('dialog').getByRole('listitem').getByRole('button').click();
      } else {
        await button('Versions').click();
      }
      await expect(page.getByRole('dialog').locator('.cm-changedLine').first()).toBeVisible();
      await check(page, 'versions');
      await page.getByRole('radio', { name: 'In one' }).click();
      await expect(
        page.getByRole('dialog').locator('.cm-changedLine, .cm-deletedChunk').first(),
      ).toBeVisible();
      await check(page, 'versions in one');
    });

    test('putting files in and changing them is accessible', async ({ machine, page }) => {
      for (const name of ['a.txt', 'b.txt']) machine.put(`mix/${name}`, 'theirs');
      machine.put('mix/inner/x.txt', 'x');
      const files = ['a.txt', 'b.txt', 'c.txt'].map((name) => own(machine, name, 'mine'));
      await page.goto(await machine.address(page, 'mix'));
      const row = (name: string) => page.getByRole('row', { name }).first();
      await expect(row('inner')).toBeVisible();
      await page.getByRole('button', { name: 'Add', exact: true }).click();
      await expect(page.getByRole('menuitem', { name: 'New folder…' })).toBeVisible();
      await check(page, 'what can be added');
      await page.getByRole('menuitem', { name: 'New folder…' }).click();
      await page.getByRole('dialog').getByRole('button', { name: 'Save' }).click();
      await expect(page.getByRole('alert')).toBeVisible();
      await check(page, 'a new folder without a name');
      await page.keyboard.press('Escape');

      const held = await hold(page, files);
      await expect(page.getByText('Drop to upload to mix')).toBeVisible();
      await check(page, 'what a drop would do');
      await held.drop();
      await expect(tray(page).getByRole('group', { name: /is there already/ })).toBeVisible();
      await check(page, 'a taken name');
      await tray(page).getByRole('button', { name: 'Skip' }).click();
      await expect(tray(page)).toContainText('1 file uploaded');
      await check(page, 'uploaded');

      await row('a.txt').click(options.hasTouch ? { button: 'right' } : {});
      await page.keyboard.press('Escape');
      await page.keyboard.press('Control+a');
      await page.keyboard.press('F2');
      await page.getByRole('dialog').getByLabel('Find').fill('t');
      await expect(page.getByRole('list', { name: 'New names' })).toBeVisible();
      await check(page, 'many new names');
      await page.keyboard.press('Escape');
      await page.keyboard.press('Delete');
      await expect(page.getByRole('dialog')).toBeVisible();
      await check(page, 'deleting folders');
      await page.getByRole('dialog').getByRole('button', { name: 'Delete', exact: true }).click();
      await expect(page.getByText('are in the trash')).toBeVisible();
      await check(page, 'deleted, with a way back');

      await page.goto((await machine.address(page)).replace('/files/', '/trash/'));
      await page.getByRole('checkbox', { name: 'Select a.txt' }).check();
      await check(page, 'the trash');
      await page.getByRole('button', { name: 'Empty the trash…' }).click();
      await page.getByRole('dialog').getByRole('button', { name: 'Empty it' }).click();
      await expect(page.getByRole('heading', { name: 'The trash is empty' })).toBeVisible();
      await check(page, 'an empty trash');
    });

    test('every preview is accessible', async ({ machine, page }) => {
      test.setTimeout(120_000);
      film(machine, 'film.webm');
      film(machine, 'old.avi');
      machine.put('tram.png', picture(300, 200));
      machine.put('broken.png', 'not a picture');
      machine.put('main.rs', 'fn main() {\n    // a comment\n    println!("olá {}", 1 + 2);\n}\n');
      machine.put(
        'README.md',
        '# Lisboa\n\n- [ ] one\n- [x] two\n\n| a | b |\n|---|---|\n| 1 | `2` |\n\n> said\n',
      );
      machine.put('prices.csv', 'place;price\nAlfama;12,50\n');
      machine.put('page.html', '<h1>A page</h1>');
      machine.put('paper.pdf', pdf('Hello'));
      machine.put('data.bin', new Uint8Array([0, 1, 2, 3]));
      const content = {
        'film.webm': 'video',
        'old.avi': 'video',
        'tram.png': 'img',
        'broken.png': 'text=This browser cannot show this picture',
        'main.rs': '.cm-line span',
        'README.md': 'article',
        'prices.csv': 'table',
        'page.html': '.cm-line',
        'paper.pdf': 'iframe, a[target=_blank]',
        'data.bin': 'text=No preview for this kind',
      };
      for (const [name, shown] of Object.entries(content)) {
        await page.goto(await machine.address(page, '', name));
        await expect(page.getByRole('dialog').locator(shown).first()).toBeVisible();
        await check(page, name);
      }
    });
  });
}
