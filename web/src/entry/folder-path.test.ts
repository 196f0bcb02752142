import { expect, it } from 'vitest';
import { folderName, joinFolder } from './folder-path';

it.each([
  ['/', 'home', '/home'],
  ['/home/ines', 'Films', '/home/ines/Films'],
  ['/odd\\name', 'x', '/odd\\name/x'],
  ['C:\\', 'Users', 'C:\\Users'],
  ['C:\\Users', 'ines', 'C:\\Users\\ines'],
  ['\\\\nas\\films', 'a', '\\\\nas\\films\\a'],
])('%s and %s', (folder, name, joined) => {
  expect(joinFolder(folder, name)).toBe(joined);
});

it('folderName', () => {
  expect(['/home/ines', '/', 'C:\\Users\\ines\\'].map(folderName)).toEqual(['ines', '/', 'ines']);
});
