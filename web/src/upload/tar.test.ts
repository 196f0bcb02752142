// @vitest-environment node
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { tarOf, tarSize, type TarItem } from './tar';

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'lanthorn-tar-'))));
afterEach(() => rmSync(folder, { recursive: true }));

const WHEN = Date.UTC(2021, 4, 6, 7, 8, 9, 250);
const file = (path: string, content: string): TarItem => ({
  path,
  file: new Blob([content]),
  modified: WHEN,
});

/** Unpacks with the system's own tar: the judge of what an archive is. */
async function unpack(items: TarItem[]): Promise<void> {
  const archive = join(folder, 'archive.tar');
  writeFileSync(archive, new Uint8Array(await tarOf(items).arrayBuffer()));
  execFileSync('tar', ['-xf', archive, '-C', folder], { env: { ...process.env, LC_ALL: 'C.UTF-8' } });
}

const read = (path: string) => readFileSync(join(folder, path), 'utf8');

it('keeps names, contents and times', async () => {
  await unpack([file('a/b.txt', 'words'), file('block', 'x'.repeat(512)), file('c', 'y'.repeat(513))]);
  expect(read('a/b.txt')).toBe('words');
  expect(read('block')).toBe('x'.repeat(512));
  expect(read('c')).toBe('y'.repeat(513));
  expect(statSync(join(folder, 'c')).mtimeMs).toBe(WHEN - 250);
});

it('keeps empty files and empty folders', async () => {
  await unpack([{ path: 'empty folder' }, file('nothing', '')]);
  expect(statSync(join(folder, 'empty folder')).isDirectory()).toBe(true);
  expect(statSync(join(folder, 'nothing')).size).toBe(0);
});

it.each([1, 80, 85, 86, 87, 88, 99, 100, 101, 120, 240])(
  'a path with a name of %d letters',
  async (length) => {
    const name = 'n'.repeat(length);
    await unpack([file(`deep/${name}`, 'here'), file('after', 'too')]);
    expect(read(`deep/${name}`)).toBe('here');
    expect(read('after')).toBe('too');
  },
);

it('takes names in any script', async () => {
  const names = ['Édition finale.txt', '写真.jpg', 'a\\b', '🙂'];
  await unpack(names.map((name) => file(name, name)));
  for (const name of names) expect(read(name)).toBe(name);
});

it('takes folders in any script, and with long names', async () => {
  const name = `é${'x'.repeat(150)}`;
  await unpack([{ path: name }]);
  expect(existsSync(join(folder, name))).toBe(true);
});

it('knows its size before it is made', async () => {
  const items = [file('a', 'x'.repeat(700)), file('é', 'y'), { path: 'folder' }];
  const sum = items.reduce((total, item) => total + tarSize(item), 0);
  expect(tarOf(items).size).toBe(sum + 1_024);
});
