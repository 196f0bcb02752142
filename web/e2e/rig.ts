// The world a browser test lives in: the real binary with a home and a shared folder of its own, on a free port.
// `test` gives each test a fresh machine; `owner` is a page of its signed-in owner.
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { networkInterfaces, tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import {
  test as base,
  chromium,
  expect,
  type BrowserContext,
  type LaunchOptions,
  type Page,
} from '@playwright/test';

/** The PIN of every owner. */
export const PIN = '482913';

const BINARY = resolve(process.env.LANTHORN_BIN ?? join(import.meta.dirname, '../../target/debug/lanthorn'));

/** This machine's address on its network, if it has one. */
export const ADDRESS = Object.values(networkInterfaces())
  .flatMap((list) => list ?? [])
  .find(({ internal, family }) => !internal && family === 'IPv4')?.address;

/** One machine: a home, a shared folder and the process that serves them. */
export class Machine {
  readonly home = mkdtempSync(join(tmpdir(), 'lanthorn-e2e-'));
  readonly shared = join(this.home, 'Shared files');
  /** What it printed until it answered. */
  printed = '';
  #process: ChildProcess | undefined;

  constructor() {
    mkdirSync(this.shared);
  }

  /** Puts a file into the shared folder. */
  put(path: string, content: string | Uint8Array): string {
    const file = join(this.shared, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
    return file;
  }

  /** Starts the binary and waits until it says where it answers. */
  async start(args: string[] = []): Promise<this> {
    const child = spawn(BINARY, ['--port', '0', '--no-browser', '--folder', this.shared, ...args], {
      cwd: this.home,
      env: { HOME: this.home, PATH: process.env.PATH, RUST_LOG: process.env.RUST_LOG },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#process = child;
    let failed = '';
    child.stderr.on('data', (text: Buffer) => (failed += text.toString()));
    for await (const line of createInterface(child.stdout)) {
      this.printed += `${line}\n`;
      if (line.includes('Ctrl-C stops')) {
        // Read on, so that it never waits for us.
        child.stdout.resume();
        return this;
      }
    }
    throw new Error(`it did not start:\n${this.printed}${failed}`);
  }

  /** The address for this machine's own browser. */
  get url(): string {
    return this.#printed(/On this machine\s+(\S+)/);
  }

  get port(): string {
    return new URL(this.url).port;
  }

  /** The address for other machines, over plain HTTP; undefined where this machine has no network. */
  get openUrl(): string | undefined {
    return ADDRESS && `http://${ADDRESS}:${this.port}`;
  }

  /** The address over HTTPS: as other machines use it, or this machine's own name where it has no network. */
  get privateUrl(): string {
    return (this.openUrl ?? `http://localhost:${this.port}`).replace(/^http:/, 'https:');
  }

  /** The code that setup asks for from another machine. */
  get setupCode(): string {
    return this.#printed(/Setup code\s+(\S+)/);
  }

  #printed(pattern: RegExp): string {
    const found = pattern.exec(this.printed)?.[1];
    if (!found) throw new Error(`it did not print ${pattern}:\n${this.printed}`);
    return found;
  }

  /** Sets up through the API, as the page does; for tests about something else. */
  async setUp(page: Page): Promise<void> {
    await page.request.post(`${this.url}/api/v1/setup`, {
      headers: { 'X-Lanthorn': '1', Origin: this.url },
      data: { folder: this.shared, device_name: 'Attic', pin: PIN },
      failOnStatusCode: true,
    });
  }

  /** The same without a browser, whose cookies would be the same for every port of this machine. */
  async setUpAlone(device_name: string): Promise<void> {
    const answer = await fetch(`${this.url}/api/v1/setup`, {
      method: 'POST',
      headers: { 'X-Lanthorn': '1', Origin: this.url, 'Content-Type': 'application/json' },
      body: JSON.stringify({ folder: this.shared, device_name, pin: PIN }),
    });
    if (!answer.ok) throw new Error(await answer.text());
  }

  /** Runs a command of this machine to its end. */
  async run(...args: string[]): Promise<{ code: number | null; printed: string }> {
    const env = { HOME: this.home, PATH: process.env.PATH };
    const child = spawn(BINARY, args, { cwd: this.home, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let printed = '';
    const take = (text: Buffer) => (printed += text.toString());
    child.stdout.on('data', take);
    child.stderr.on('data', take);
    const code = await new Promise<number | null>((done) => child.once('close', done));
    return { code, printed };
  }

  /** Runs a command as it is typed into this machine's terminal: `lanthorn pair …`. */
  async type(command: string): Promise<Joining> {
    const [program = '', ...args] = command.split(' ');
    expect(program).toBe('lanthorn');
    const child = spawn(BINARY, args, {
      cwd: this.home,
      env: { HOME: this.home, PATH: process.env.PATH },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const joining = new Joining(child);
    await joining.began;
    return joining;
  }

  /** The address of the page that shows a folder of the share, or a file in it. */
  async address(page: Page, folder = '', file = ''): Promise<string> {
    const answer = await page.request.get(`${this.url}/api/v1/catalog/shares`, { failOnStatusCode: true });
    const { shares } = (await answer.json()) as { shares: { id: string; device_id: string }[] };
    const [share] = shares;
    if (!share) throw new Error('nothing is shared');
    const names = folder.split('/').filter(Boolean).map(encodeURIComponent);
    const query = file && `?view=${encodeURIComponent(file)}`;
    return `${this.url}/${['files', share.device_id, share.id, ...names].join('/')}${query}`;
  }

  /** Ends the process as Ctrl-C does; what it wrote stays. */
  async halt(): Promise<void> {
    const child = this.#process;
    if (child && child.exitCode === null) {
      const ended = new Promise((done) => child.once('exit', done));
      child.kill('SIGINT');
      await ended;
    }
  }

  async stop(): Promise<void> {
    await this.halt();
    rmSync(this.home, { recursive: true, force: true });
  }
}

/** A machine that joins another: what its terminal shows. */
export class Joining {
  printed = '';
  code = '';
  words: string[] = [];
  /** Settles when it shows its code and words. */
  readonly began: Promise<void>;
  /** How it ended. */
  readonly ended: Promise<number | null>;

  constructor(child: ChildProcess) {
    this.ended = new Promise((done) => child.once('exit', done));
    this.began = new Promise((done, fail) => {
      void this.ended.then(() => fail(new Error(`it did not join:\n${this.printed}`)));
      const take = (text: Buffer) => {
        this.printed += text.toString();
        const code = /Code\s+([\d ]+)\n/.exec(this.printed)?.[1];
        const words = /Words\s+(.+)\n/.exec(this.printed)?.[1];
        if (!words) return;
        this.code = code?.replace(/ /g, '') ?? '';
        this.words = words.trim().split(/\s+/);
        done();
      };
      child.stdout?.on('data', take);
      child.stderr?.on('data', take);
    });
  }
}

/** A browser of its own that trusts this machine's authority, as after the steps of the Trust page. */
export async function trusting(machine: Machine, options: LaunchOptions): Promise<BrowserContext> {
  const home = join(machine.home, 'visitor');
  const store = join(home, '.pki/nssdb');
  mkdirSync(store, { recursive: true });
  const authority = join(home, 'authority.pem');
  const answer = await fetch(`${machine.url}/trust/authority.pem`);
  writeFileSync(authority, await answer.text());
  const certutil = (...args: string[]) => execFileSync('certutil', ['-d', `sql:${store}`, ...args]);
  certutil('-N', '--empty-password');
  certutil('-A', '-t', 'C,,', '-n', 'lanthorn', '-i', authority);
  const env = { ...process.env, HOME: home } as Record<string, string>;
  return chromium.launchPersistentContext(join(home, 'profile'), { ...options, env, locale: 'en-GB' });
}

interface Fixtures {
  /** What the machine is started with besides. */
  flags: string[];
  /** A machine that nobody has set up. */
  fresh: Machine;
  /** A machine that is set up; `page` is its owner's, signed in. */
  machine: Machine;
  /** Another machine, `Garage`, set up by its own owner; nobody has paired it. */
  second: Machine;
  /** Requests that left the machine's own origin: the page must make none. */
  strays: string[];
}

export const test = base.extend<Fixtures>({
  flags: [[], { option: true }],
  fresh: async ({ flags }, use) => {
    const machine = await new Machine().start(flags);
    await use(machine);
    await machine.stop();
  },
  machine: async ({ page, flags }, use) => {
    const machine = await new Machine().start(flags);
    await machine.setUp(page);
    await use(machine);
    await machine.stop();
  },
  second: async ({ flags }, use) => {
    const second = await new Machine().start(flags);
    await second.setUpAlone('Garage');
    await use(second);
    await second.stop();
  },
  strays: [
    async ({ context }, use) => {
      const strays: string[] = [];
      context.on('request', (request) => {
        const { protocol, hostname } = new URL(request.url());
        const own = ['blob:', 'data:', 'chrome-extension:', 'chrome:'].includes(protocol);
        if (!own && /[a-z]/.test(hostname) && hostname !== 'localhost') strays.push(request.url());
      });
      await use(strays);
    },
    { auto: true },
  ],
});

export { expect };
