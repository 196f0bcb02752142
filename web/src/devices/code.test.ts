import { expect, it } from 'vitest';
import { addressForOthers, codeDigits, groupedCode } from './code';

it.each([
  ['482913', '482913'],
  [' 482 913 ', '482913'],
  ['482-913', '482913'],
  ['48291377', '482913'],
  ['abc', ''],
])('of %j the digits are %j', (typed, digits) => {
  expect(codeDigits(typed)).toBe(digits);
});

it.each([
  ['', ''],
  ['482', '482'],
  ['4829', '482 9'],
  ['482913', '482 913'],
])('%j is shown as %j', (digits, shown) => {
  expect(groupedCode(digits)).toBe(shown);
});

it.each([
  ['https://192.168.1.20:7000/devices', ['https://192.168.1.9:7000'], 'https://192.168.1.20:7000'],
  [
    'http://localhost:7000/devices',
    ['https://localhost:7000', 'https://192.168.1.9:7000'],
    'https://192.168.1.9:7000',
  ],
  ['http://127.0.0.1:7000/', ['https://[::1]:7000/'], 'http://127.0.0.1:7000'],
  ['http://192.168.1.20:7000/', ['https://192.168.1.20:7000'], 'https://192.168.1.20:7000'],
  ['http://192.168.1.20:7000/', [], 'http://192.168.1.20:7000'],
])('from %s others are given the right address', (page, urls, address) => {
  expect(addressForOthers(new URL(page), urls)).toBe(address);
});
