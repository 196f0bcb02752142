// The service worker: keeps the app's own shell, so that it opens at once and says so when the machine is away.
// It never touches /api: files, lists and sign-in always come from the machine itself.
declare const self: ServiceWorkerGlobalScope;

const SHELL = 'lanthorn-shell-1';
const PAGE = '/';
/** Built files of older versions are dropped beyond this many. */
const MOST_ASSETS = 120;

self.addEventListener('install', (event) => {
  event.waitUntil(self.skipWaiting());
});

self.addEventListener('activate', (event) => {
  event.waitUntil(takeOver());
});

self.addEventListener('fetch', (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== 'GET' || url.origin !== self.location.origin) return;
  if (request.mode === 'navigate' && !isServed(url.pathname)) event.respondWith(page(request));
  else if (url.pathname.startsWith('/assets/')) event.respondWith(asset(request));
});

async function takeOver(): Promise<void> {
  const names = await caches.keys();
  await Promise.all(names.filter((name) => name !== SHELL).map((name) => caches.delete(name)));
  await self.clients.claim();
}

/** What the machine itself answers, though a browser may go there as to a page. */
function isServed(path: string): boolean {
  return path.startsWith('/api/') || path.startsWith('/trust/') || path === '/health';
}

/** The page: from the machine, and from the cache only while the machine does not answer. */
async function page(request: Request): Promise<Response> {
  const cache = await caches.open(SHELL);
  try {
    const response = await fetch(request);
    if (response.ok) await cache.put(PAGE, response.clone());
    return response;
  } catch (error) {
    const kept = await cache.match(PAGE);
    if (kept) return kept;
    throw error;
  }
}

/** A built file: its name says its content, so a kept one is as good as a fresh one. */
async function asset(request: Request): Promise<Response> {
  const cache = await caches.open(SHELL);
  const kept = await cache.match(request);
  if (kept) return kept;
  const response = await fetch(request);
  if (response.ok) {
    await cache.put(request, response.clone());
    await dropOldest(cache);
  }
  return response;
}

async function dropOldest(cache: Cache): Promise<void> {
  const assets = (await cache.keys()).filter((kept) => new URL(kept.url).pathname !== PAGE);
  await Promise.all(
    assets.slice(0, Math.max(0, assets.length - MOST_ASSETS)).map((old) => cache.delete(old)),
  );
}

export {};
