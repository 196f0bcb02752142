// How a second machine is let in, as its owner does it: the page of one, the terminal of the other.
import type { Page } from '@playwright/test';
import { expect, type Joining, type Machine } from './rig';

/** Opens the window that lets a machine in, and types into the other's terminal what it says. */
export async function begin(machine: Machine, second: Machine, page: Page): Promise<Joining> {
  await page.goto(`${machine.url}/devices`);
  await page.getByRole('main').getByRole('button', { name: 'Add a machine' }).click();
  const dialog = page.getByRole('dialog', { name: 'Add a machine' });
  const command = await dialog.getByText(/^lanthorn pair /).innerText();
  return second.type(command);
}

export async function look(page: Page, code: string): Promise<void> {
  await page.getByLabel('Code').fill(code);
  await page.keyboard.press('Enter');
}

/** All of it, for tests about something else. */
export async function join(machine: Machine, second: Machine, page: Page): Promise<void> {
  const joining = await begin(machine, second, page);
  await look(page, joining.code);
  await page.getByRole('button', { name: 'They are the same: let it in' }).click();
  await expect(page.getByRole('heading', { name: 'Garage is here' })).toBeVisible();
  await page.getByRole('button', { name: 'Done' }).click();
  expect(await joining.ended).toBe(0);
}
