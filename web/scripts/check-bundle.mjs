// Fails the build when what a first visit must load grows beyond its budget: the entry and what it imports
// at once, compressed as the machine sends it.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

const LIMIT = 90 * 1024;
const dist = new URL('../dist/', import.meta.url).pathname;

const html = readFileSync(join(dist, 'index.html'), 'utf8');
const first = [...html.matchAll(/(?:src|href)="\/(assets\/[^"]+\.js)"/g)].map((match) => match[1]);
const seen = new Set();

function visit(file) {
  if (seen.has(file)) return;
  seen.add(file);
  const code = readFileSync(join(dist, file), 'utf8');
  // Only what is loaded at once: `import(…)` has a parenthesis and is left out.
  for (const [, name] of code.matchAll(/(?:\bfrom|\bimport)\s*["']\.\/([^"']+\.js)["']/g))
    visit(`assets/${name}`);
}

first.forEach(visit);
const size = [...seen].reduce((sum, file) => sum + gzipSync(readFileSync(join(dist, file))).length, 0);
const all = readdirSync(join(dist, 'assets')).filter((name) => name.endsWith('.js'));
console.log(
  `entry: ${(size / 1024).toFixed(1)} KiB gzip in ${seen.size} files (limit ${LIMIT / 1024}); ${all.length} scripts in all`,
);
if (first.length === 0 || size > LIMIT) process.exit(1);
