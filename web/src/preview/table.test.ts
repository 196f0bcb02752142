import { describe, expect, it } from 'vitest';
import { guessDelimiter, MAX_CELL, parseTable } from './table';

const rows = (text: string, name = 'a.csv') => parseTable(text, name).rows;

describe('RFC 4180', () => {
  it.each([
    [
      'plain',
      'a,b\n1,2\n',
      [
        ['a', 'b'],
        ['1', '2'],
      ],
    ],
    [
      'CRLF and no last line end',
      'a,b\r\n1,2',
      [
        ['a', 'b'],
        ['1', '2'],
      ],
    ],
    [
      'lone CR, as old Macs wrote',
      'a,b\r1,2\r',
      [
        ['a', 'b'],
        ['1', '2'],
      ],
    ],
    ['delimiter inside quotes', '"a,b",c\n', [['a,b', 'c']]],
    ['line end inside quotes', '"a\r\nb",c\n', [['a\r\nb', 'c']]],
    ['doubled quotes', '"say ""hi""",c\n', [['say "hi"', 'c']]],
    ['empty cells', ',,\n', [['', '', '']]],
    ['empty last cell', 'a,\n', [['a', '']]],
    ['spaces belong to the cell', ' a , b \n', [[' a ', ' b ']]],
    ['quote in the middle is a character', 'a"b,c\n', [['a"b', 'c']]],
    ['text after a closing quote is kept', '"a"b,c\n', [['ab', 'c']]],
    ['a quote that never closes', '"a,b\nc', [['a,b\nc']]],
    [
      'short rows are filled',
      'a,b,c\n1\n',
      [
        ['a', 'b', 'c'],
        ['1', '', ''],
      ],
    ],
    ['byte order mark', '\uFEFFa,b\n', [['a', 'b']]],
    ['nothing', '', []],
  ])('%s', (_, text, expected) => {
    expect(rows(text)).toEqual(expected);
  });
});

describe('delimiter', () => {
  it.each([
    ['name;price\nbread;3,20\n', 'a.csv', ';'],
    ['name,price\nbread,3.20\n', 'a.csv', ','],
    ['a|b|c\n1|2|3\n', 'a.csv', '|'],
    ['a\tb\n1\t2\n', 'a.csv', '\t'],
    ['a,b\n1,2\n', 'A.TSV', '\t'],
    ['one column\nonly\n', 'a.csv', ','],
  ])('%j in %s', (text, name, expected) => {
    expect(guessDelimiter(text, name)).toBe(expected);
  });
});

describe('bounds', () => {
  it('stops at the last row it shows and says so', () => {
    const long = 'a,b\n'.repeat(501);
    expect(parseTable(long, 'a.csv')).toMatchObject({ cut: true });
    expect(parseTable(long, 'a.csv').rows).toHaveLength(500);
    expect(parseTable('a,b\n'.repeat(500), 'a.csv').cut).toBe(false);
  });
  it('keeps the first columns and says so', () => {
    const wide = Array.from({ length: 81 }, (_, i) => i).join(',') + '\nx,y\n';
    const table = parseTable(wide, 'a.csv');
    expect(table.rows.map((row) => row.length)).toEqual([80, 80]);
    expect(table.rows[1]?.[0]).toBe('x');
    expect(table.cut).toBe(true);
    expect(parseTable(Array.from({ length: 80 }, () => 'x').join(','), 'a.csv').cut).toBe(false);
  });
  it('shortens an endless cell and says so', () => {
    const table = parseTable('a,' + 'x'.repeat(MAX_CELL + 1), 'a.csv');
    expect(table.rows[0]?.[1]).toHaveLength(MAX_CELL + 1);
    expect(table.cut).toBe(true);
  });
  it('reads a megabyte of quotes in linear time', () => {
    const text = '"' + '""'.repeat(500_000) + '",b\n';
    expect(parseTable(text, 'a.csv').rows[0]?.[1]).toBe('b');
  });
});
