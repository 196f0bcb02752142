import { mergeConfig } from 'vite';
import base from './vite.config';
export default mergeConfig(base, { build: { outDir: '/tmp/webb/dist', emptyOutDir: true } });
