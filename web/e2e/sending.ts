// Two people with a machine each: Attic's owner, and Ana, who came with her Garage by an invite and may send to Attic.
import { join } from 'node:path';
import type { Browser, Locator, Page } from '@playwright/test';
import { expect, type Machine } from './rig';

interface Made {
  url: string;
  text: string;
}

/** Asks as the page of this window does. */
async function ask<T>(page: Page, machine: Machine, path: string, data?: unknown): Promise<T> {
  const headers = { 'X-Lanthorn': '1', Origin: machine.url };
  const url = `${machine.url}/api/v1${path}`;
  const answer = data
    ? await page.request.post(url, { headers, data, failOnStatusCode: true })
    : await page.request.get(url, { failOnStatusCode: true });
  return (await answer.json()) as T;
}

/** An invite that lets its holder look into Attic's share and send to it. */
async function invite(machine: Machine, page: Page, name: string): Promise<Made> {
  const { shares } = await ask<{ shares: { id: string }[] }>(page, machine, '/catalog/shares');
  const permissions = ['read', 'download', 'request_send'];
  const grants = shares.map(({ id }) => ({ share: id, permissions }));
  return ask<Made>(page, machine, '/invites', { name, grants, lifetime_seconds: 600 });
}

/** A browser of Ana's, who has no machine. */
export async function guest(machine: Machine, page: Page, browser: Browser): Promise<Page> {
  const { url } = await invite(machine, page, 'Ana');
  const link = new URL(url);
  const theirs = await browser.newPage({ locale: 'en-GB', reducedMotion: 'reduce' });
  await theirs.goto(`${machine.url}${link.pathname}${link.hash}`);
  await theirs.getByRole('button', { name: 'Come in' }).click();
  await expect(theirs.getByRole('main').getByRole('link', { name: 'Shared files' })).toBeVisible();
  return theirs;
}

/** Lets Garage in as Ana's own machine. */
export async function joinAsAna(machine: Machine, second: Machine, page: Page): Promise<void> {
  const { text } = await invite(machine, page, 'Ana');
  const secret = text.slice(text.lastIndexOf('#') + 1);
  const port = new URL(machine.privateUrl).port;
  const joined = await second.run('pair', `https://127.0.0.1:${port}/invite#${secret}`, '--all-shares');
  expect(joined.code, joined.printed).toBe(0);
}

export interface Offering {
  /** Ends with the command. */
  ended: Promise<{ code: number | null; printed: string }>;
}

/** `lanthorn send` on Garage: to Attic, through Attic. */
export function offer(machine: Machine, second: Machine, paths: string[], ...more: string[]): Offering {
  const on = `127.0.0.1:${machine.port}`;
  return { ended: second.run('send', ...paths, '--on', on, '--to', 'Attic', ...more) };
}

/** Something in the inbox of a machine. */
export const inbox = (machine: Machine, ...names: string[]) =>
  join(machine.home, '.local/state/lanthorn/inbox', ...names);
export const dialog = (page: Page, name: string | RegExp) => page.getByRole('dialog', { name });
/** A transfer, or whatever else is listed. */
export const line = (page: Page, list: string, name: string): Locator =>
  page.getByRole('list', { name: list }).getByRole('listitem').filter({ hasText: name }).first();
