// How the page is built. The binary embeds `dist`, replaces the nonce placeholder in every answer, and sends
// a strict content security policy: hence no inlined assets and no preload polyfill.
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';

const START = new URL('src/main.ts', import.meta.url).pathname;
const BACKEND = process.env.LANTHORN_DEV_BACKEND ?? 'http://localhost:7000';

interface Modules {
  getModuleInfo(id: string): { importedIds: string[] } | null;
}

let firstModules: Set<string> | undefined;

/** Whether a first visit loads this module: reached from the start of the page by imports that do not wait. */
function isFirst(id: string, modules: Modules): boolean {
  if (!firstModules) {
    firstModules = new Set([START]);
    for (const one of firstModules)
      modules.getModuleInfo(one)?.importedIds.forEach((other) => firstModules?.add(other));
  }
  return firstModules.has(id);
}

export default defineConfig({
  base: '/',
  plugins: [svelte()],
  html: { cspNonce: '__CSP_NONCE__' },
  build: {
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rollupOptions: {
      input: { index: 'index.html', sw: 'src/worker/shell.ts' },
      output: {
        // A service worker's scope is its folder, and its name must not change.
        entryFileNames: (chunk) => (chunk.name === 'sw' ? 'sw.js' : 'assets/[name]-[hash].js'),
        // What a first visit loads is one file: dozens of small ones compress badly and are asked for one by one.
        codeSplitting: {
          groups: [{ name: (id: string, modules: Modules) => (isFirst(id, modules) ? 'first' : null) }],
        },
      },
    },
  },
  server: {
    port: 5173,
    proxy: Object.fromEntries(
      ['/api', '/health', '/trust/'].map((path) => [path, { target: BACKEND, changeOrigin: true }]),
    ),
  },
  resolve: process.env.VITEST ? { conditions: ['browser'] } : {},
  test: {
    environment: 'happy-dom',
    include: ['src/**/*.test.ts'],
    css: true,
    env: { TZ: 'UTC' },
  },
});
