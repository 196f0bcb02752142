// From an empty machine to the first picture, and how sign-in takes a wrong PIN.
import { expect, PIN, test } from './rig';
import { picture } from './samples';

test('a newcomer sets up and sees the first picture', async ({ fresh, page, strays }) => {
  fresh.put('tram.png', picture(320, 200));
  await page.goto(fresh.url);
  await expect(page.getByRole('heading', { name: 'Welcome to Lanthorn' })).toBeVisible();
  await expect(page.getByLabel('Folder', { exact: true })).toHaveValue(fresh.shared);

  await page.getByLabel('Name').fill('Attic');
  await page.getByRole('button', { name: 'Suggest one' }).click();
  await page.getByRole('button', { name: 'Start sharing' }).click();

  await page.getByRole('link', { name: 'Shared files' }).first().click();
  await page.getByText('tram.png').first().dblclick();
  const shown = page.getByRole('dialog').getByRole('img', { name: 'tram.png' });
  await expect.poll(() => shown.evaluate((image: HTMLImageElement) => image.naturalWidth)).toBe(320);
  expect(strays).toEqual([]);
});

test('from another machine, setup asks for the code on the terminal', async ({ fresh, browser }) => {
  test.skip(!fresh.openUrl, 'this machine has no network');
  const page = await browser.newPage({ locale: 'en-GB' });
  await page.goto(`${fresh.openUrl}/setup`);
  await page.getByRole('button', { name: 'Continue without privacy' }).click();
  const code = page.getByLabel('Setup code');
  await expect(page.getByLabel('PIN', { exact: true })).toHaveCount(0);
  await code.fill('AAAA-AAAA');
  await page.getByRole('button', { name: 'Continue' }).click();
  await expect(code).toHaveAttribute('aria-invalid', 'true');
  await code.fill(fresh.setupCode);
  await page.getByRole('button', { name: 'Continue' }).click();

  await expect(page.getByLabel('Folder', { exact: true })).toHaveValue(fresh.shared);
  await page.getByLabel('PIN', { exact: true }).fill(PIN);
  await page.getByLabel('PIN again').fill(PIN);
  await page.getByRole('button', { name: 'Start sharing' }).click();
  await expect(page.getByRole('main').getByRole('link', { name: 'Shared files' })).toBeVisible();

  // The code was for once: whoever comes now is asked for the PIN.
  const next = await browser.newPage({ locale: 'en-GB' });
  await next.goto(`${fresh.openUrl}/setup`);
  await next.getByRole('button', { name: 'Continue without privacy' }).click();
  await expect(next.getByRole('button', { name: 'Sign in' })).toBeVisible();
  await next.close();
  await page.close();
});

test('setup says what is missing, in place', async ({ fresh, page }) => {
  await page.goto(fresh.url);
  await page.getByLabel('PIN', { exact: true }).fill('12');
  await page.getByRole('button', { name: 'Start sharing' }).click();
  const field = page.getByLabel('PIN', { exact: true });
  await expect(field).toBeFocused();
  await expect(field).toHaveAttribute('aria-invalid', 'true');
  await expect(field).toHaveAccessibleDescription('A PIN is made of 4 to 12 digits.');

  await field.fill('4829');
  await page.getByLabel('PIN again').fill('4820');
  await page.getByRole('button', { name: 'Start sharing' }).click();
  await expect(page.getByLabel('PIN again')).toHaveAccessibleDescription('The two PINs are not the same.');
});

test('the folder chooser is usable by keys alone', async ({ fresh, page }) => {
  fresh.put('Alfama/a.txt', 'a');
  fresh.put('Belém/b.txt', 'b');
  await page.goto(fresh.url);
  await page.getByRole('button', { name: 'Choose…' }).press('Enter');
  const chooser = page.getByRole('dialog', { name: 'Choose a folder' });
  const first = chooser.getByRole('button', { name: 'Alfama' });
  await first.focus();
  await page.keyboard.press('ArrowDown');
  await expect(chooser.getByRole('button', { name: 'Belém' })).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(chooser.getByText('1 file in here')).toBeVisible();
  await chooser.getByRole('button', { name: 'Choose this folder' }).press('Enter');
  await expect(page.getByLabel('Folder', { exact: true })).toHaveValue(`${fresh.shared}/Belém`);
});

test('a wrong PIN is told, makes one wait, and the right one gets in', async ({ machine, page }) => {
  await page.context().clearCookies();
  await page.clock.install();
  await page.goto(`${machine.url}/sign-in?next=/settings`);
  const field = page.getByLabel('PIN', { exact: true });
  const submit = page.getByRole('button', { name: 'Sign in' });
  for (let wrong = 1; wrong <= 3; wrong += 1) {
    await field.fill('0000');
    await submit.click();
    await expect(field).toHaveAccessibleDescription('That is not the PIN.');
  }
  // Three are free, as people mistype; from then on there is a pause, counted on the machine.
  await field.fill('0000');
  await submit.click();
  await expect(page.getByRole('timer')).toHaveText(/Too many wrong PINs/);
  await expect(submit).toBeDisabled();

  // The page's clock is put on, and the machine asked until its own pause is over.
  await expect(async () => {
    await page.clock.fastForward(60_000);
    await field.fill(PIN);
    await submit.click();
    await expect(page.getByRole('heading', { name: 'Settings' })).toBeVisible({ timeout: 1_500 });
  }).toPass({ timeout: 40_000 });
  await expect(page).toHaveURL(/\/settings$/);
});

test('sign-in never leads to another site', async ({ machine, page }) => {
  await page.context().clearCookies();
  await page.goto(`${machine.url}/sign-in?next=//evil.example/`);
  await page.getByLabel('PIN', { exact: true }).fill(PIN);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page.getByRole('link', { name: 'Shared files' }).first()).toBeVisible();
  expect(new URL(page.url()).origin).toBe(machine.url);
});

test.describe('in French', () => {
  test.use({ locale: 'fr-FR' });

  test('a visitor is met in their language', async ({ machine, page }) => {
    await page.goto(`${machine.url}/files`);
    await expect(page.getByRole('heading', { name: 'Fichiers', level: 1 })).toBeVisible();
    await expect(page.locator('html')).toHaveAttribute('lang', 'fr');
  });
});
