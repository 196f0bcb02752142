// What lies in a folder: paths, kinds, bytes and times, to compare one tree with another.
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';

/** One line per entry, in order: a digest of the bytes, and the second it was changed, stand for the file. */
export function treeOf(root: string): string[] {
  const found: string[] = [];
  for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const name = relative(root, path);
    if (entry.isDirectory()) found.push(`${name}/`);
    else found.push(`${name} ${digest(path)} ${Math.floor(statSync(path).mtimeMs / 1_000)}`);
  }
  return found.sort();
}

const digest = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex');
