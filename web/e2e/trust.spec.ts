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

  await page.getByRole('button', { name: 'Continue without privacy' }).click();
  await page.getByLabel('PIN', { exact: true }).fill(PIN);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page.getByText('you can look and download only').first()).toBeVisible();
  await page.goto(`${address}/settings`);
  await expect(page.getByText('settings can be read but not changed')).toBeVisible();
  await expect(page.getByRole('button', { name: 'Add a folder' })).toHaveCount(0);
  await page.context().close();
});

test('from the machine itself the page tells what others compare', async ({ machine, page }) => {
  await page.goto(`${machine.url}/trust`);
  await expect(page.getByRole('heading', { name: 'Trust this machine', exact: true })).toBeVisible();
  await page.getByLabel('Steps for').selectOption('iPhone and iPad');
  await expect(page.getByRole('link', { name: 'Download the profile' })).toBeVisible();
});
