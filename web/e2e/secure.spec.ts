// HTTPS in a browser that trusts the machine's own authority: nothing is asked, everything is on, and it installs as an app.
import { ADDRESS, expect, PIN, test, trusting } from './rig';

// The authority signs for private addresses by itself; another kind is the owner's to name.
test.use({ flags: ADDRESS ? ['--name', ADDRESS] : [] });

test('whoever trusts the machine’s authority gets a private session and an app', async ({
  machine,
  launchOptions,
}) => {
  machine.put('note.txt', 'hello');
  const address = machine.privateUrl;
  const context = await trusting(machine, launchOptions);
  const page = context.pages()[0] ?? (await context.newPage());
  await page.goto(`${address}/settings`);
  expect(await page.evaluate(() => isSecureContext)).toBe(true);
  await page.getByLabel('PIN', { exact: true }).fill(PIN);
  await page.getByRole('button', { name: 'Sign in' }).click();

  // A private session may change things, and is called private.
  await expect(page.getByRole('button', { name: 'Add a folder' })).toBeVisible();
  await expect(page.getByText('you can look and download only')).toHaveCount(0);
  const sessions = await page.evaluate(async () => (await fetch('/api/v1/sessions')).json());
  expect((sessions as { sessions: unknown[] }).sessions).toContainEqual(
    expect.objectContaining({ current: true, privacy: 'private' }),
  );
  const [cookie, ...others] = (await context.cookies(address)).filter(({ httpOnly }) => httpOnly);
  expect(cookie).toMatchObject({ secure: true, sameSite: 'Strict', path: '/' });
  expect([cookie, ...others].map((one) => one?.name.slice(0, 7))).toEqual(
    ['__Host-', '__Host-'].slice(others.length ? 0 : 1),
  );

  // The app: a worker that is in charge, a manifest without faults, nothing that stands against installing it.
  await page.evaluate(() => navigator.serviceWorker.ready);
  const browser = await context.newCDPSession(page);
  const manifest = await browser.send('Page.getAppManifest');
  expect(manifest.errors).toEqual([]);
  expect(JSON.parse(manifest.data ?? '')).toMatchObject({ display: 'standalone', start_url: '/files' });
  const { installabilityErrors } = await browser.send('Page.getInstallabilityErrors');
  expect(installabilityErrors).toEqual([]);

  // It opens again through the worker, and says so when the machine is away.
  await page.reload();
  expect(await page.evaluate(() => navigator.serviceWorker.controller?.state)).toBe('activated');
  await page.goto(`${address}/files`);
  await expect(page.getByRole('link', { name: 'Shared files' }).first()).toBeVisible();
  await machine.halt();
  await page.reload();
  await expect(page.getByRole('button', { name: 'Try again' })).toBeVisible();
  await context.close();
});

test('without the authority the browser warns: the certificate is the machine’s own', async ({
  machine,
  browser,
}) => {
  const page = await browser.newPage();
  await expect(page.goto(machine.privateUrl)).rejects.toThrow(/ERR_CERT_AUTHORITY_INVALID/);
  await page.close();
});
