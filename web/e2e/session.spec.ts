// A session that ends while the page is open leads to sign-in, and from there back to the same place.
import type { Page } from '@playwright/test';
import { expect, PIN, test, type Machine } from './rig';
import { film } from './samples';

/** Ends the page's session behind its back, as the owner would from another browser. */
async function endSession(machine: Machine, page: Page): Promise<void> {
  const headers = { 'X-Lanthorn': '1', Origin: machine.url };
  const me = await page.request.get(`${machine.url}/api/v1/auth/me`, { failOnStatusCode: true });
  const { session } = (await me.json()) as { session: string };
  await page.request.delete(`${machine.url}/api/v1/sessions/${session}`, { headers, failOnStatusCode: true });
}

async function signInAgain(page: Page): Promise<void> {
  await expect(page.getByText('You were signed out')).toBeVisible();
  await page.getByLabel('PIN', { exact: true }).fill(PIN);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

test('who is signed out meanwhile signs in and is where they were', async ({ machine, page }) => {
  machine.put('trips/Lisboa/a.txt', 'one');
  await page.goto(await machine.address(page, 'trips'));
  await expect(page.getByRole('row', { name: 'Lisboa' })).toBeVisible();
  await endSession(machine, page);
  await page.getByRole('row', { name: 'Lisboa' }).dblclick();
  await signInAgain(page);
  await expect(page.getByRole('row', { name: 'a.txt' })).toBeVisible();
  await expect(page).toHaveURL(/trips\/Lisboa$/);
});

test('a film that the session’s end breaks leads to sign-in, and goes on', async ({ machine, page }) => {
  film(machine, 'old.avi');
  await page.goto(await machine.address(page, '', 'old.avi'));
  const video = page.getByRole('dialog').locator('video');
  const ready = () => video.evaluate((v: HTMLVideoElement) => v.readyState);
  await expect.poll(ready, { timeout: 30_000 }).toBeGreaterThan(2);
  await endSession(machine, page);
  await page.getByRole('slider', { name: 'Position' }).fill('30');
  await signInAgain(page);
  await expect(page).toHaveURL(/view=old.avi/);
  await expect.poll(ready, { timeout: 30_000 }).toBeGreaterThan(2);
});
