// How the page is built. The binary embeds `dist`, replaces the nonce placeholder in every answer, and sends
// a strict content security policy: hence no inlined assets and no preload polyfill.
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';

const BACKEND = process.env.LANTHORN_DEV_BACKEND ?? 'http://localhost:7000';

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
