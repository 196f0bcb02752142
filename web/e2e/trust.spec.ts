// Plain HTTP from another machine: the choice comes first, and going on without privacy can only look and download.
import { expect, PIN, test } from './rig';
import { picture } from './samples';

test('an open connection offers privacy first, then looks and downloads only', async ({
  machine,
  browser,
}) => {
  const address = machine.openUrl;
  test.skip(!address, 'this machine has no network');
  machine.put('tram.png', picture(20, 10));
  const page = await (await browser.newContext({ locale: 'en-GB' })).newPage();
  await page.goto(`${address}/`);
  await expect(page.getByRole('heading', { name: 'This connection is not private yet' })).toBeVisible();
  const privately = page.getByRole('link', { name: 'Continue privately' });
  await expect(privately).toHaveAttribute('href', /^https:\/\//);
  await expect(page.getByRole('img', { name: /QR code of http:/ })).toBeVisible();
  await expect(page.getByRole('link', { name: 'Download the authority' })).toBeVisible();

  await expect(page.getByText('Off on such a connection:', { exact: false })).toBeVisible();
  expect(await page.evaluate(() => isSecureContext)).toBe(false);
  await page.getByRole('button', { name: 'Continue without privacy' }).click();
  await page.getByLabel('PIN', { exact: true }).fill(PIN);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('link', { name: 'Settings' }).first().click();
  await expect(page.getByText('you can look and download only').first()).toBeVisible();
  await expect(page.getByText('Settings are shown and changed on private connections only')).toBeVisible();
  await expect(page.getByRole('button', { name: 'Add a folder' })).toHaveCount(0);
  await page.context().close();
});

test('a browser that was locked out is told for how long, and the machine itself still lets in', async ({
  machine,
  browser,
  page: own,
}) => {
  test.setTimeout(120_000);
  const address = machine.openUrl;
  test.skip(!address, 'this machine has no network');
  const page = await (await browser.newContext({ locale: 'en-GB' })).newPage();
  await page.clock.install();
  const field = page.getByLabel('PIN', { exact: true });
  const submit = page.getByRole('button', { name: 'Sign in' });
  // A browser that is known here is locked after five wrong PINs in a day; waiting for the pauses takes 20 s.
  await page.goto(`${address}/settings`);
  await page.getByRole('button', { name: 'Continue without privacy' }).click();
  await field.fill(PIN);
  await submit.click();
  await page.getByRole('button', { name: 'Sign out here' }).click();
  await expect(async () => {
    await page.clock.fastForward(60_000);
    await field.fill('0000');
    await submit.click();
    await expect(page.getByRole('heading', { name: 'Locked for now' })).toBeVisible({ timeout: 1_000 });
  }).toPass({ timeout: 90_000, intervals: [100] });
  await expect(page.getByText(/this browser has to wait (23|24) hours/)).toBeVisible();
  await expect(page.getByText(/open Lanthorn on the machine itself/)).toBeVisible();
  await expect(submit).toBeDisabled();
  await page.context().close();

  await own.context().clearCookies();
  await own.goto(machine.url);
  await own.getByLabel('PIN', { exact: true }).fill(PIN);
  await own.getByRole('button', { name: 'Sign in' }).click();
  await expect(own.getByRole('link', { name: 'Shared files' }).first()).toBeVisible();
});

test('from the machine itself the page tells what others compare', async ({ machine, page }) => {
  await page.goto(`${machine.url}/trust`);
  await expect(page.getByRole('heading', { name: 'Trust this machine', exact: true })).toBeVisible();
  await page.getByLabel('Steps for').selectOption('iPhone and iPad');
  await expect(page.getByRole('link', { name: 'Download the profile' })).toBeVisible();
});
