// Files come into a share from the page: whole, with what is empty, over breaks, and never over what is there unasked.
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from '@playwright/test';
import { drop, hold, own, ownFolder, tray } from './dropping';
import { expect, test, type Machine } from './rig';
import { treeOf } from './tree';

const MIB = 1024 * 1024;

async function open(machine: Machine, page: Page, path = 'in'): Promise<void> {
  mkdirSync(join(machine.shared, path), { recursive: true });
  await page.goto(await machine.address(page, path));
  await expect(page.getByRole('button', { name: 'Add', exact: true })).toBeVisible();
}

const inside = (machine: Machine, path: string) => join(machine.shared, 'in', path);

/** Bytes that differ from place to place, so that a piece in the wrong place is seen. */
function bytes(size: number): Uint8Array {
  const content = new Uint8Array(size);
  for (let i = 0; i < size; i += 1) content[i] = (i * 31 + (i >>> 12)) & 0xff;
  return content;
}

/** A line of so many bytes a second on which the page sends; `cut` breaks it and mends it. */
async function slow(page: Page, rate: number): Promise<{ cut: (offline: boolean) => Promise<void> }> {
  const browser = await page.context().newCDPSession(page);
  await browser.send('Network.enable');
  const cut = async (offline: boolean) => {
    const conditions = { offline, latency: 0, downloadThroughput: -1, uploadThroughput: rate };
    await browser.send('Network.emulateNetworkConditions', conditions);
  };
  await cut(false);
  return { cut };
}

/** What the page asks for of uploads: those it begins, and where the pieces go. */
function watch(page: Page): { begun: string[]; pieces: number[] } {
  const seen = { begun: [] as string[], pieces: [] as number[] };
  page.on('request', (request) => {
    if (request.method() === 'POST' && request.url().endsWith('/uploads')) seen.begun.push(request.url());
    if (request.method() === 'PATCH') seen.pieces.push(Number(request.headers()['upload-offset']));
  });
  return seen;
}

test('a folder is dropped with all that is in it, empty files and empty folders too', async ({
  machine,
  page,
}) => {
  own(machine, 'trip/notes é.txt', 'words');
  own(machine, 'trip/empty.txt', '');
  own(machine, 'trip/deep/er/film.bin', bytes(5 * MIB));
  own(machine, `trip/${'long '.repeat(40)}.txt`, 'long');
  ownFolder(machine, 'trip/nothing in it');
  const folder = ownFolder(machine, 'trip');
  await open(machine, page);
  const held = await hold(page, [folder]);
  await expect(page.getByText('Drop to upload to in')).toBeVisible();
  await held.drop();
  await expect(tray(page)).toContainText('4 files uploaded');
  expect(treeOf(inside(machine, 'trip'))).toEqual(treeOf(folder));
  // It is in the list without anybody asking for it.
  await expect(page.getByRole('row', { name: 'trip' })).toBeVisible();
});

test('a name that is taken is asked about, once for all', async ({ machine, page }) => {
  machine.put('in/a.txt', 'theirs a');
  machine.put('in/b.txt', 'theirs b');
  machine.put('in/film.bin', 'theirs');
  const files = ['a.txt', 'b.txt', 'c.txt'].map((name) => own(machine, name, `mine ${name}`));
  files.push(own(machine, 'film.bin', bytes(3 * MIB)));
  await open(machine, page);
  await drop(page, files);
  const asks = tray(page).getByRole('group', { name: /is there already/ });
  await expect(asks).toBeVisible();
  // The rest went on meanwhile.
  await expect.poll(() => existsSync(inside(machine, 'c.txt'))).toBe(true);
  await expect(asks.getByRole('checkbox')).toBeChecked();
  await asks.getByRole('button', { name: 'Keep both' }).click();
  await expect(tray(page)).toContainText('4 files uploaded');
  const read = (name: string) => readFileSync(inside(machine, name), 'utf8');
  expect([read('a.txt'), read('a (1).txt')]).toEqual(['theirs a', 'mine a.txt']);
  expect([read('b.txt'), read('b (1).txt')]).toEqual(['theirs b', 'mine b.txt']);
  expect(statSync(inside(machine, 'film (1).bin')).size).toBe(3 * MIB);
});

test('one is replaced, another is left, each as was chosen', async ({ machine, page }) => {
  machine.put('in/a.txt', 'theirs');
  machine.put('in/b.txt', 'theirs');
  const files = ['a.txt', 'b.txt'].map((name) => own(machine, name, 'mine'));
  await open(machine, page);
  await drop(page, files);
  for (const [name, answer] of [
    ['a.txt', 'Replace'],
    ['b.txt', 'Skip'],
  ] as const) {
    const asks = tray(page).getByRole('group', { name: `“${name}” is there already` });
    await asks.getByRole('checkbox').uncheck();
    await asks.getByRole('button', { name: answer }).click();
  }
  await expect(tray(page)).toContainText('1 file uploaded');
  expect(readFileSync(inside(machine, 'a.txt'), 'utf8')).toBe('mine');
  expect(readFileSync(inside(machine, 'b.txt'), 'utf8')).toBe('theirs');
});

test('what has come is taken back: a file by its token, a folder as a whole', async ({ machine, page }) => {
  machine.put('in/there/a.txt', 'theirs');
  own(machine, 'trip/deep/b.txt', 'b');
  const folder = ownFolder(machine, 'trip');
  await open(machine, page);
  await drop(page, [folder, own(machine, 'film.bin', bytes(3 * MIB)), own(machine, 'beside.txt', 'x')]);
  await expect(tray(page)).toContainText('3 files uploaded');
  await tray(page).getByRole('button', { name: 'Undo' }).click();
  await expect.poll(() => readdirSync(join(machine.shared, 'in'))).toEqual(['there']);
  await expect(tray(page)).toHaveCount(0);
  await expect(page.getByRole('status').getByText(/^Undone: 3 files uploaded to in/)).toBeVisible();

  await expect(page.getByRole('dialog')).toHaveCount(0);

  // Into a folder of the list, and by keys; what was replaced is there again.
  await expect(page.getByRole('row', { name: 'trip' })).toHaveCount(0);
  const row = page.getByRole('row', { name: 'there' });
  const held = await hold(page, [own(machine, 'there/a.txt', 'mine')], row);
  await expect(page.getByText('Drop to upload to there')).toBeVisible();
  await held.drop();
  await tray(page).getByRole('button', { name: 'Replace' }).click();
  await expect(tray(page)).toContainText('1 file uploaded to there');
  expect(readFileSync(inside(machine, 'there/a.txt'), 'utf8')).toBe('mine');
  await row.click();
  await page.keyboard.press('Control+z');
  await expect.poll(() => readFileSync(inside(machine, 'there/a.txt'), 'utf8')).toBe('theirs');
});

test('empty folders come without any file', async ({ machine, page }) => {
  ownFolder(machine, 'plan/later/much');
  await open(machine, page);
  await drop(page, [ownFolder(machine, 'plan')]);
  await expect(page.getByRole('row', { name: 'plan' })).toBeVisible();
  expect(existsSync(inside(machine, 'plan/later/much'))).toBe(true);
});

test('what could not come is said, and all of it is tried again', async ({ machine, page }) => {
  const files = ['a.txt', 'b.txt'].map((name) => own(machine, name, name));
  files.push(own(machine, 'film.bin', bytes(3 * MIB)));
  await open(machine, page);
  const full = { code: 'NO_SPACE', message: 'The disk is full.', hint: 'Make room.', request_id: 'x' };
  await page.route(/\/(unpack|uploads)\b/, (route) =>
    route.request().method() === 'POST' ? route.fulfill({ status: 507, json: full }) : route.continue(),
  );
  await drop(page, files);
  await expect(tray(page)).toContainText('3 files were not uploaded');
  await expect(tray(page).getByRole('region', { name: 'Not uploaded' })).toContainText('The disk is full');
  await page.unroute(/\/(unpack|uploads)\b/);
  await tray(page).getByRole('button', { name: 'Try all again' }).click();
  await expect(tray(page)).toContainText('3 files uploaded');
  expect(readdirSync(join(machine.shared, 'in')).sort()).toEqual(['a.txt', 'b.txt', 'film.bin']);
});

test('it is paused, and goes on where it was', async ({ machine, page }) => {
  const content = bytes(24 * MIB);
  const film = own(machine, 'film.bin', content);
  await open(machine, page);
  await slow(page, 8 * MIB);
  const { begun, pieces } = watch(page);
  await drop(page, [film]);
  await expect.poll(() => pieces.length).toBeGreaterThan(1);
  await tray(page).getByRole('button', { name: 'Pause' }).click();
  await expect(tray(page)).toContainText('Paused');
  const before = pieces.length;
  await tray(page).getByRole('button', { name: 'Go on' }).click();
  await expect(tray(page)).toContainText('1 file uploaded');
  expect(begun).toHaveLength(1);
  expect(Math.min(...pieces.slice(before))).toBeGreaterThan(0);
  expect(readFileSync(inside(machine, 'film.bin')).equals(content)).toBe(true);
});

for (const knows of [true, false]) {
  const how = knows ? 'by itself' : 'when the file is dropped again';
  test(`it survives a reload, and goes on ${how}`, async ({ machine, page }) => {
    // Only some browsers know a file again after a reload.
    if (!knows) {
      await page.addInitScript(() =>
        Reflect.deleteProperty(DataTransferItem.prototype, 'getAsFileSystemHandle'),
      );
    }
    const content = bytes(24 * MIB);
    const film = own(machine, 'film.bin', content);
    await open(machine, page);
    await slow(page, 8 * MIB);
    const { begun, pieces } = watch(page);
    await drop(page, [film]);
    await expect.poll(() => pieces.length).toBeGreaterThan(1);
    page.on('dialog', (dialog) => void dialog.accept());
    const before = pieces.length;
    await page.reload();
    if (!knows) {
      await expect(tray(page)).toContainText('1 upload was interrupted');
      await expect(tray(page)).toContainText('Drop the same files again');
      await drop(page, [film]);
    }
    await expect(tray(page)).toContainText('1 file uploaded');
    expect(begun).toHaveLength(1);
    expect(Math.min(...pieces.slice(before))).toBeGreaterThan(0);
    expect(readFileSync(inside(machine, 'film.bin')).equals(content)).toBe(true);
  });
}

test('an upload that was begun elsewhere is listed, gone on with or given up', async ({ machine, page }) => {
  const content = bytes(6 * MIB);
  const film = own(machine, 'film.bin', content);
  const folder = await machine.address(page, 'in');
  const [, device, share] = /files\/([^/]+)\/([^/]+)/.exec(folder) ?? [];
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  for (const name of ['film.bin', 'unwanted.bin']) {
    const modified = base64('2024-02-03T04:05:06Z');
    await page.request.post(`${machine.url}/api/v1/devices/${device}/shares/${share}/uploads`, {
      headers: {
        'X-Lanthorn': '1',
        Origin: machine.url,
        'Tus-Resumable': '1.0.0',
        'Upload-Length': String(content.length),
        'Upload-Metadata': `path ${base64(`in/${name}`)},modified ${modified}`,
        'Content-Type': 'application/offset+octet-stream',
      },
      data: Buffer.from(content.subarray(0, 2 * MIB)),
      failOnStatusCode: true,
    });
  }
  // Some time ago, so that nothing comes to it any more.
  await page.route('**/uploads', async (route) => {
    if (route.request().method() !== 'GET') return route.continue();
    const answer = await route.fetch();
    const body = (await answer.json()) as { uploads: { expires: string }[] };
    for (const one of body.uploads) one.expires = new Date(Date.parse(one.expires) - 3_600_000).toISOString();
    await route.fulfill({ response: answer, json: body });
  });
  await page.addInitScript(() => Object.assign(window, { showOpenFilePicker: undefined }));
  const { begun, pieces } = watch(page);
  await open(machine, page);
  await expect(tray(page)).toContainText('2 uploads were interrupted');
  const item = tray(page).getByRole('group', { name: /^film\.bin/ });
  const choose = async (file: string) => {
    const chooser = page.waitForEvent('filechooser');
    await item.getByRole('button', { name: 'Choose the file…' }).click();
    await (await chooser).setFiles(file);
  };
  await choose(own(machine, 'other.bin', bytes(5 * MIB)));
  await expect(item).toContainText('This is another file');
  await choose(film);
  await expect.poll(() => existsSync(inside(machine, 'film.bin'))).toBe(true);
  expect(readFileSync(inside(machine, 'film.bin')).equals(content)).toBe(true);
  expect(begun).toEqual([]);
  expect(Math.min(...pieces)).toBe(2 * MIB);

  const given = page.waitForResponse((answer) => answer.request().method() === 'DELETE');
  const unwanted = tray(page).getByRole('group', { name: /^unwanted\.bin/ });
  await unwanted.getByRole('button', { name: 'Discard' }).click();
  expect((await given).status()).toBe(204);
  await expect(unwanted).toHaveCount(0);
});

test('the page asks before it is closed while something runs', async ({ machine, page }) => {
  const film = own(machine, 'film.bin', bytes(12 * MIB));
  await open(machine, page);
  await slow(page, MIB);
  await drop(page, [film]);
  await expect(tray(page)).toContainText('Uploading 1 file');
  const asked = page.waitForEvent('dialog');
  void page.reload().catch(() => undefined);
  const dialog = await asked;
  expect(dialog.type()).toBe('beforeunload');
  await dialog.dismiss();
  await tray(page).getByRole('button', { name: 'Stop uploading' }).click();
  await page.getByRole('button', { name: 'Stop', exact: true }).click();
  await expect(tray(page)).toHaveCount(0);
  expect(readdirSync(join(machine.shared, 'in'))).toEqual([]);
});

test('without a connection it waits, and goes on by itself', async ({ machine, page }) => {
  const content = bytes(20 * MIB);
  const film = own(machine, 'film.bin', content);
  await open(machine, page);
  const { cut } = await slow(page, 8 * MIB);
  await drop(page, [film]);
  await expect(tray(page)).toContainText('left');
  await cut(true);
  await expect(tray(page)).toContainText('No connection: goes on by itself');
  await cut(false);
  await expect(tray(page)).toContainText('1 file uploaded', { timeout: 40_000 });
  expect(readFileSync(inside(machine, 'film.bin')).equals(content)).toBe(true);
});

test('it goes on while one browses, into the folder it was dropped on', async ({ machine, page }) => {
  machine.put('other/x.txt', 'x');
  const film = own(machine, 'film.bin', bytes(12 * MIB));
  await open(machine, page);
  await slow(page, 6 * MIB);
  await drop(page, [film]);
  await expect(tray(page)).toContainText('to in');
  await page.getByRole('navigation', { name: 'Path' }).getByRole('link').last().click();
  await page.getByRole('row', { name: 'other' }).dblclick();
  await expect(page.getByRole('row', { name: 'x.txt' })).toBeVisible();
  await expect(tray(page)).toContainText('1 file uploaded');
  expect(statSync(inside(machine, 'film.bin')).size).toBe(12 * MIB);
});

test('ten thousand small files in one drop all arrive', async ({ machine, page }) => {
  test.setTimeout(180_000);
  const folder = ownFolder(machine, 'many');
  for (let i = 0; i < 10_000; i += 1) {
    const path = join(folder, `part ${i % 20}`);
    if (i < 20) mkdirSync(path);
    writeFileSync(join(path, `file ${i}.txt`), `${i} `.repeat(800).slice(0, 4_096));
  }
  await open(machine, page);
  await drop(page, [folder]);
  await expect(tray(page)).toContainText('10,000 files uploaded', { timeout: 150_000 });
  expect(treeOf(inside(machine, 'many'))).toEqual(treeOf(folder));
});

test('of ten thousand that come, those whose names are taken are asked about once', async ({
  machine,
  page,
}) => {
  test.setTimeout(180_000);
  const folder = ownFolder(machine, 'many');
  for (let i = 0; i < 10_000; i += 1) writeFileSync(join(folder, `file ${i}.txt`), `mine ${i}`);
  for (let i = 0; i < 10_000; i += 1_000) machine.put(`in/many/file ${i}.txt`, 'theirs');
  await open(machine, page);
  await drop(page, [folder]);
  const asks = tray(page).getByRole('group', { name: /is there already/ });
  await expect(asks).toContainText('the other 9', { timeout: 150_000 });
  await asks.getByRole('button', { name: 'Keep both' }).click();
  await expect(tray(page)).toContainText('10,000 files uploaded', { timeout: 60_000 });
  const read = (name: string) => readFileSync(inside(machine, `many/${name}`), 'utf8');
  expect(readdirSync(inside(machine, 'many'))).toHaveLength(10_010);
  expect([read('file 3000.txt'), read('file 3000 (1).txt')]).toEqual(['theirs', 'mine 3000']);
  expect(read('file 9999.txt')).toBe('mine 9999');
});

test('a reload while files are still being found loses none of them', async ({ machine, page }) => {
  test.setTimeout(120_000);
  const folder = ownFolder(machine, 'many');
  for (let i = 0; i < 3_000; i += 1) {
    const path = join(folder, `part ${i % 30}`);
    if (i < 30) mkdirSync(path);
    writeFileSync(join(path, `file ${i}.txt`), `${i}`);
  }
  // The browser stops finding, once the first ones are on their way.
  await page.addInitScript(() => {
    const { getFile } = FileSystemFileHandle.prototype;
    let found = 0;
    FileSystemFileHandle.prototype.getFile = function () {
      found += 1;
      const stopped = found > 1_000 && sessionStorage.getItem('again') === null;
      return stopped ? new Promise(() => undefined) : getFile.call(this);
    };
  });
  await open(machine, page);
  await drop(page, [folder]);
  await expect.poll(() => existsSync(inside(machine, 'many'))).toBe(true);
  page.on('dialog', (dialog) => void dialog.accept());
  await page.evaluate(() => sessionStorage.setItem('again', 'yes'));
  await page.reload();
  await expect(tray(page)).toContainText('3,000 files uploaded', { timeout: 60_000 });
  expect(treeOf(inside(machine, 'many'))).toEqual(treeOf(folder));
});

test('files are picked, and pasted', async ({ machine, page }) => {
  await page.addInitScript(() => {
    Object.assign(window, { showOpenFilePicker: undefined, showDirectoryPicker: undefined });
  });
  const file = own(machine, 'picked.txt', 'picked');
  await open(machine, page);
  await page.getByRole('button', { name: 'Add', exact: true }).click();
  const chooser = page.waitForEvent('filechooser');
  await page.getByRole('menuitem', { name: 'Upload files…' }).click();
  await (await chooser).setFiles(file);
  await expect(page.getByRole('row', { name: 'picked.txt' })).toBeVisible();

  await page.evaluate(() => {
    const data = new DataTransfer();
    data.items.add(new File(['pasted'], 'pasted.txt'));
    document.body.dispatchEvent(
      new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true }),
    );
  });
  await expect(page.getByRole('row', { name: 'pasted.txt' })).toBeVisible();
  expect(readFileSync(inside(machine, 'pasted.txt'), 'utf8')).toBe('pasted');
});

test('a folder is picked by the browser’s own window, with what is empty in it', async ({
  machine,
  page,
}) => {
  // Its window cannot be used by a program; what it hands out can be made.
  await page.addInitScript(() => {
    Object.assign(window, {
      showDirectoryPicker: async () => {
        const folder = await (
          await navigator.storage.getDirectory()
        ).getDirectoryHandle('picked', { create: true });
        await folder.getDirectoryHandle('empty', { create: true });
        const file = await (
          await folder.getDirectoryHandle('deep', { create: true })
        ).getFileHandle('a.txt', { create: true });
        const writing = await file.createWritable();
        await writing.write('picked');
        await writing.close();
        return folder;
      },
      showOpenFilePicker: () => Promise.reject(new DOMException('thought better of it', 'AbortError')),
    });
  });
  await open(machine, page);
  await page.getByRole('button', { name: 'Add', exact: true }).click();
  await page.getByRole('menuitem', { name: 'Upload files…' }).click();
  await page.getByRole('button', { name: 'Add', exact: true }).click();
  await page.getByRole('menuitem', { name: 'Upload a folder…' }).click();
  await expect(tray(page)).toContainText('1 file uploaded');
  expect(readFileSync(inside(machine, 'picked/deep/a.txt'), 'utf8')).toBe('picked');
  expect(existsSync(inside(machine, 'picked/empty'))).toBe(true);
});

test.describe('on a phone', () => {
  test.use({ viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });

  test('a photo is taken with its camera', async ({ machine, page }) => {
    await open(machine, page);
    await page.getByRole('button', { name: 'Add', exact: true }).tap();
    const chooser = page.waitForEvent('filechooser');
    await page.getByRole('menuitem', { name: 'Take a photo or film…' }).tap();
    const camera = await chooser;
    expect(await camera.element().getAttribute('capture')).toBe('environment');
    expect(await camera.element().getAttribute('accept')).toBe('image/*,video/*');
    await camera.setFiles(own(machine, 'IMG_1.jpg', bytes(2_000)));
    await expect(page.getByRole('row', { name: 'IMG_1.jpg' })).toBeVisible();
    expect(statSync(inside(machine, 'IMG_1.jpg')).size).toBe(2_000);
  });
});

test('who may only look adds nothing', async ({ machine, page }) => {
  await page.route('**/api/v1/catalog/shares?*', async (route) => {
    const answer = await route.fetch();
    const body = (await answer.json()) as { shares: { permissions: string[] }[] };
    for (const share of body.shares) share.permissions = ['read', 'download'];
    await route.fulfill({ response: answer, json: body });
  });
  machine.put('in/a.txt', 'x');
  await page.goto(await machine.address(page, 'in'));
  await expect(page.getByRole('row', { name: 'a.txt' })).toBeVisible();
  await expect(page.getByRole('button', { name: 'Add', exact: true })).toHaveCount(0);
  const held = await hold(page, [own(machine, 'b.txt', 'x')]);
  await expect(page.getByText('You cannot add anything here')).toBeVisible();
  await held.drop();
  await page.getByRole('row', { name: 'a.txt' }).click();
  await page.keyboard.press('Delete');
  await page.keyboard.press('F2');
  await expect(page.getByRole('dialog')).toHaveCount(0);
  expect(readdirSync(join(machine.shared, 'in'))).toEqual(['a.txt']);
});
