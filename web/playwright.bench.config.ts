// What is measured in a browser: the same world as the browser tests, and figures instead of assertions.
import { defineConfig } from '@playwright/test';
import tests from './playwright.config';

export default defineConfig(tests, { testDir: 'e2e', testMatch: '**/*.bench.ts', timeout: 300_000 });
