// How long it takes from Ctrl-S in one tab until the new text stands in another one that has the same file open, and
// until one with changes of its own says that the file has changed.
import type { Page } from '@playwright/test';
import { expect, test, type Machine } from './rig';

const ROUNDS = 40;
/** The first ones warm up. */
const LEFT_OUT = 5;
const FILE = 'notes.txt';

async function edit(machine: Machine, page: Page): Promise<void> {
  await page.goto((await machine.address(page, FILE)).replace('/files/', '/edit/'));
  await expect(page.getByRole('textbox', { name: `Text of ${FILE}` })).toBeFocused();
  await page.keyboard.press('Control+End');
}

/** Notes by the wall clock when Ctrl is pressed with S. */
const noteSaves = (page: Page) =>
  page.evaluate(() => {
    const saves: number[] = ((window as never as { saves: number[] }).saves = []);
    addEventListener(
      'keydown',
      (event) => {
        if (event.ctrlKey && event.key === 's') saves.push(performance.timeOrigin + performance.now());
      },
      true,
    );
  });

/** Notes by the wall clock when this text first stands on the page, each time anew. */
const noteSight = (page: Page, words: string) =>
  page.evaluate((words) => {
    const seen: number[] = ((window as never as { seen: number[] }).seen = []);
    let there = false;
    new MutationObserver(() => {
      const text = document.querySelector('main')?.textContent ?? '';
      const now = words ? text.includes(words) : text.includes(`round ${seen.length}.`);
      if (now && (!there || !words)) seen.push(performance.timeOrigin + performance.now());
      there = now;
    }).observe(document.body, { subtree: true, childList: true, characterData: true });
  }, words);

const saves = (page: Page) => page.evaluate(() => (window as never as { saves: number[] }).saves);
const seen = (page: Page) => page.evaluate(() => (window as never as { seen: number[] }).seen);

function figures(what: string, from: number[], to: number[]): string {
  const times = to.map((time, i) => time - (from[i] ?? NaN)).slice(LEFT_OUT);
  const sorted = times.toSorted((a, b) => a - b);
  const at = (part: number) => (sorted[Math.floor(part * (sorted.length - 1))] ?? NaN).toFixed(0);
  return `${what}: median ${at(0.5)} ms, 90 % ${at(0.9)} ms, longest ${at(1)} ms (${sorted.length} saves)`;
}

test('save to changed', async ({ machine, page, context }) => {
  machine.put(FILE, 'A line.\n'.repeat(200));
  const reader = await context.newPage();
  const writer = await context.newPage();
  for (const tab of [reader, writer, page]) await edit(machine, tab);
  await noteSaves(page);
  await noteSight(reader, '');
  for (let round = 0; round < ROUNDS; round += 1) {
    await page.keyboard.type(`round ${round}.\n`);
    await page.keyboard.press('Control+s');
    await expect.poll(async () => (await seen(reader)).length).toBe(round + 1);
  }
  const firstSaves = await saves(page);
  console.log(figures('until the new text stands in another tab', firstSaves, await seen(reader)));

  // One that has changes of its own, which it takes back each time.
  await reader.close();
  await noteSight(writer, 'changed elsewhere while you were editing');
  for (let round = 0; round < ROUNDS; round += 1) {
    await writer.keyboard.type('x');
    await page.keyboard.type(`again ${round}.\n`);
    await page.keyboard.press('Control+s');
    await expect.poll(async () => (await seen(writer)).length).toBe(round + 1);
    await writer.keyboard.press('Backspace');
    await expect(writer.getByText(`again ${round}.`)).toBeAttached();
  }
  const laterSaves = (await saves(page)).slice(ROUNDS);
  console.log(figures('until a tab with changes of its own says so', laterSaves, await seen(writer)));
});
