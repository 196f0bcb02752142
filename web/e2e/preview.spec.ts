// Every kind of file in place, and that nothing from a share is ever active.
import type { Page } from '@playwright/test';
import { expect, test, type Machine } from './rig';
import { film, music, pdf, picture } from './samples';

async function view(machine: Machine, page: Page, name: string) {
  await page.goto(await machine.address(page, '', name));
  const dialog = page.getByRole('dialog', { name: `Preview of ${name}` });
  await expect(dialog).toBeVisible();
  return dialog;
}

/** What a hostile file would leave behind had it run. */
const traces = (page: Page) => page.evaluate(() => (window as { pwned?: string }).pwned);

test('pictures zoom, and arrow keys lead to the neighbours', async ({ machine, page }) => {
  for (const name of ['a.png', 'b.png', 'c.png']) machine.put(name, picture(2000, 1500));
  await view(machine, page, 'a.png');
  await page.keyboard.press('ArrowRight');
  const dialog = page.getByRole('dialog', { name: 'Preview of b.png' });
  await expect(dialog.getByRole('img')).toBeVisible();
  await page.keyboard.press('1');
  await expect(dialog.getByText('100 %').first()).toBeVisible();
  // While there is more of the picture than the window holds, the arrows move it.
  await page.keyboard.press('ArrowRight');
  await expect(dialog).toBeVisible();
  await page.keyboard.press('0');
  await page.keyboard.press('ArrowLeft');
  await expect(page.getByRole('dialog', { name: 'Preview of a.png' })).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(page.getByRole('dialog')).toHaveCount(0);
});

test('a film is sought by byte ranges and goes on where it was left', async ({ machine, page }) => {
  film(machine, 'film.webm');
  const ranges: string[] = [];
  page.on('response', (response) => {
    if (response.status() === 206) ranges.push(response.headers()['content-range'] ?? '');
  });
  const dialog = await view(machine, page, 'film.webm');
  const video = dialog.locator('video');
  await expect.poll(() => video.evaluate((v: HTMLVideoElement) => v.readyState)).toBeGreaterThan(2);
  await page.keyboard.press('5');
  await expect.poll(() => video.evaluate((v: HTMLVideoElement) => v.currentTime)).toBeGreaterThanOrEqual(19);
  await page.keyboard.press('l');
  await expect.poll(() => video.evaluate((v: HTMLVideoElement) => v.currentTime)).toBeGreaterThanOrEqual(29);
  await page.keyboard.press('k');
  await expect.poll(() => video.evaluate((v: HTMLVideoElement) => v.paused)).toBe(true);
  await page.keyboard.press('m');
  expect(await video.evaluate((v: HTMLVideoElement) => v.muted)).toBe(true);
  expect(ranges.length).toBeGreaterThan(0);

  await page.keyboard.press('Escape');
  const again = await view(machine, page, 'film.webm');
  await expect(again.getByText(/Going on at 0:(29|3\d)/)).toBeVisible();
  await again.getByRole('button', { name: 'Start over' }).click();
  await expect
    .poll(() => again.locator('video').evaluate((v: HTMLVideoElement) => v.currentTime))
    .toBeLessThan(10);
});

test('a film the browser cannot play is converted, and sought by opening it anew', async ({
  machine,
  page,
}) => {
  film(machine, 'old.avi');
  const dialog = await view(machine, page, 'old.avi');
  const video = dialog.locator('video');
  await expect
    .poll(() => video.evaluate((v: HTMLVideoElement) => v.videoWidth), { timeout: 30_000 })
    .toBe(320);
  await expect(dialog.getByText('Converted while you watch')).toBeVisible();
  const bar = dialog.getByRole('slider', { name: 'Position' });
  await bar.fill('30');
  await expect(video).toHaveAttribute('src', /start=(29|30)/);
  await expect
    .poll(() => video.evaluate((v: HTMLVideoElement) => v.videoWidth), { timeout: 30_000 })
    .toBe(320);
  await expect(bar).toHaveAttribute('aria-valuetext', /0:(29|3\d) of 0:40/);
});

test('music plays, packed or not', async ({ machine, page }) => {
  for (const name of ['a.flac', 'b.mp3', 'c.wav']) {
    music(machine, name);
    const audio = (await view(machine, page, name)).locator('audio');
    await expect.poll(() => audio.evaluate((a: HTMLAudioElement) => a.currentTime), name).toBeGreaterThan(0);
  }
});

test('Markdown is rendered, and nothing in it runs or is fetched from elsewhere', async ({
  machine,
  page,
  strays,
}) => {
  machine.put('img/tram.png', picture(60, 40));
  machine.put(
    'README.md',
    '# Lisboa\n\n![tram](img/tram.png) ![far](https://evil.example/a.png)\n\n' +
      '<script>window.pwned="script"</script><img src=x onerror="window.pwned=1"><svg onload="window.pwned=2"></svg>\n\n' +
      '[bad](javascript:window.pwned=3) [next](notes.md) <a href="javascript:window.pwned=4">worse</a>\n',
  );
  const dialog = await view(machine, page, 'README.md');
  await expect(dialog.getByRole('heading', { name: 'Lisboa' })).toBeVisible();
  const tram = dialog.getByRole('img', { name: 'tram' });
  await expect.poll(() => tram.evaluate((image: HTMLImageElement) => image.naturalWidth)).toBe(60);
  await expect(
    dialog.locator('article script, article svg, article [onerror], article [onload]'),
  ).toHaveCount(0);
  await dialog.getByText('bad').click();
  await dialog.getByText('worse').click();
  expect(await traces(page)).toBeUndefined();
  expect(strays).toEqual([]);
  await dialog.getByRole('radio', { name: 'Source' }).click();
  await expect(dialog.getByText('window.pwned="script"')).toBeVisible();
});

test('SVG and HTML from a share are inert', async ({ machine, page }) => {
  const script = "try{top.pwned='ran'}catch{};document.documentElement.dataset.ran='1'";
  machine.put(
    'logo.svg',
    `<svg xmlns="http://www.w3.org/2000/svg" width="40" height="30" onload="${script}"><script>${script}</script></svg>`,
  );
  machine.put(
    'page.html',
    `<h1>A page</h1><script>${script}</script><form action="/api/v1/auth/logout">x</form>`,
  );

  const svg = await view(machine, page, 'logo.svg');
  await expect.poll(() => svg.getByRole('img').evaluate((i: HTMLImageElement) => i.naturalWidth)).toBe(40);
  const html = await view(machine, page, 'page.html');
  await expect(html.getByText('<h1>', { exact: false }).first()).toBeVisible();
  await html.getByRole('radio', { name: 'Open rendered (sandboxed)' }).click();
  const frame = html.frameLocator('iframe');
  await expect(frame.getByRole('heading', { name: 'A page' })).toBeVisible();
  expect(await frame.locator('html').evaluate((root) => root.dataset.ran)).toBeUndefined();
  expect(await traces(page)).toBeUndefined();

  // Opened as pages of their own they have no origin either.
  for (const name of ['logo.svg', 'page.html']) {
    const address = new URL(await machine.address(page));
    const [, , device, share] = address.pathname.split('/');
    await page.goto(`${machine.url}/api/v1/devices/${device}/shares/${share}/stream?path=${name}`);
    expect(await page.evaluate(() => [self.origin, document.documentElement.dataset.ran])).toEqual([
      'null',
      undefined,
    ]);
  }
});

test('code is coloured and numbered, and a long text comes in parts', async ({ machine, page }) => {
  machine.put('main.rs', 'fn main() {\n    println!("olá");\n}\n');
  machine.put('long.log', 'one line of a log\n'.repeat(100_000));
  const code = await view(machine, page, 'main.rs');
  await expect(code.getByText('fn', { exact: true })).not.toHaveAttribute('class', '');
  await expect(code.locator('.cm-lineNumbers')).toContainText('3');
  const log = await view(machine, page, 'long.log');
  await expect(log.getByText('The first 1.5 MB of 1.8 MB.')).toBeVisible();
  await log.getByRole('button', { name: 'Show more' }).click();
  await expect(log.getByRole('button', { name: 'Show more' })).toHaveCount(0);
});

test('tables, PDF and unknown files', async ({ machine, page }) => {
  machine.put('prices.csv', 'place;price\n"Alfama; by night";12,50\n'.concat('x;1\n'.repeat(600)));
  machine.put('paper.pdf', pdf('Hello'));
  machine.put('data.bin', new Uint8Array([0, 1, 2, 3]));
  const table = await view(machine, page, 'prices.csv');
  await expect(table.getByRole('columnheader', { name: 'price' })).toBeVisible();
  await expect(table.getByRole('cell', { name: 'Alfama; by night' })).toBeVisible();
  await expect(table.getByText(/At most 500 rows/)).toBeVisible();
  const paper = await view(machine, page, 'paper.pdf');
  await expect(paper.locator('iframe, a[target=_blank]').first()).toBeVisible();
  const data = await view(machine, page, 'data.bin');
  await expect(data.getByRole('heading', { name: 'No preview for this kind of file' })).toBeVisible();
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    data.getByRole('link', { name: 'Download' }).last().click(),
  ]);
  expect(download.suggestedFilename()).toBe('data.bin');
});
