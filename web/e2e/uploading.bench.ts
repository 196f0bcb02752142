// How long it takes from letting go of files over the page until the machine has answered for the last of them: ten
// thousand small ones, and one that is as large as all of them. In turns, so that both see the same machine.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from '@playwright/test';
import { drop, own, ownFolder, tray } from './dropping';
import { expect, test, type Machine } from './rig';

const ROUNDS = 5;
const FILES = 10_000;
const EACH = 4_096;

/** Notes when something is dropped; the browser notes by itself when a request ends. */
const noteDrops = (page: Page) =>
  page.addInitScript(() => {
    performance.setResourceTimingBufferSize(10_000);
    addEventListener('drop', () => performance.mark('dropped'), true);
  });

interface Times {
  /** Until the first request leaves, and until the last one is answered, in milliseconds. */
  first: number;
  last: number;
}

/** Since the last drop. */
const times = (page: Page) =>
  page.evaluate((): Times => {
    const dropped = performance.getEntriesByName('dropped').at(-1)?.startTime ?? NaN;
    const sent = (performance.getEntriesByType('resource') as PerformanceResourceTiming[]).filter(
      ({ name, startTime }) => startTime > dropped && /\/(unpack|uploads)\b/.test(name),
    );
    const least = Math.min(...sent.map(({ startTime }) => startTime));
    const most = Math.max(...sent.map(({ responseEnd }) => responseEnd));
    return { first: least - dropped, last: most - dropped };
  });

async function send(machine: Machine, page: Page, path: string, said: string): Promise<Times> {
  const into = join(machine.shared, 'in');
  rmSync(into, { recursive: true, force: true });
  mkdirSync(into);
  await page.goto(await machine.address(page, 'in'));
  await expect(page.getByRole('button', { name: 'Add', exact: true })).toBeVisible();
  await drop(page, [path]);
  await expect(tray(page)).toContainText(said, { timeout: 120_000 });
  return times(page);
}

const median = (values: number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;

function figures(what: string, all: Times[]): number {
  const [first, last] = [median(all.map((one) => one.first)), median(all.map((one) => one.last))];
  const each = all.map((one) => one.last.toFixed(0)).join(', ');
  console.log(
    `${what}: median ${last.toFixed(0)} ms, the first request after ${first.toFixed(0)} ms (${each})`,
  );
  return last;
}

test('ten thousand small files against one large file', async ({ machine, page }) => {
  const many = ownFolder(machine, 'many');
  for (let i = 0; i < FILES; i += 1) {
    const folder = join(many, `part ${i % 100}`);
    if (i < 100) mkdirSync(folder);
    writeFileSync(join(folder, `file ${i}.txt`), Buffer.alloc(EACH, i));
  }
  const large = own(machine, 'large.bin', Buffer.alloc(FILES * EACH, 7));
  await noteDrops(page);
  const [small, one]: [Times[], Times[]] = [[], []];
  for (let round = 0; round < ROUNDS; round += 1) {
    one.push(await send(machine, page, large, '1 file uploaded'));
    small.push(await send(machine, page, many, '10,000 files uploaded'));
  }
  const single = figures('one file of 40 MiB', one);
  const thousands = figures('10,000 files of 4 KiB', small);
  console.log(`that is ${(thousands / single).toFixed(1)} times as long`);
});
