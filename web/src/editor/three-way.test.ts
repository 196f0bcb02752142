import { describe, expect, it } from 'vitest';
import { randomFrom, type Random } from '../lib/random';
import { compose, firstChoice, hunksOf, isOpen, mergeTexts, spanText, type Choice } from './three-way';

const merged = (base: string, mine: string, theirs: string) => {
  const pieces = mergeTexts(base, mine, theirs);
  return compose(pieces, hunksOf(pieces).map(firstChoice)).text;
};
const all = (base: string | undefined, mine: string, theirs: string, choice: Choice) => {
  const pieces = mergeTexts(base, mine, theirs);
  return compose(
    pieces,
    hunksOf(pieces).map(() => choice),
  ).text;
};
const open = (base: string | undefined, mine: string, theirs: string) =>
  hunksOf(mergeTexts(base, mine, theirs)).filter(isOpen);

describe('joins by itself', () => {
  it.each([
    ['changes apart', 'a\nb\nc\nd\ne', 'A\nb\nc\nd\ne', 'a\nb\nc\nd\nE', 'A\nb\nc\nd\nE'],
    ['an insertion and a removal', 'a\nb\nc\nd', 'a\nx\nb\nc\nd', 'a\nb\nc', 'a\nx\nb\nc'],
    ['the same change', 'a\nb\nc', 'a\nX\nc', 'a\nX\nc', 'a\nX\nc'],
    ['a removal at the end', 'a\nb\n', 'a\n', 'a\nb\n', 'a\n'],
    ['a last line without an end', 'a\nb', 'a\nb', 'a\nb\n', 'a\nb\n'],
    ['all of it', 'a', '', 'a', ''],
  ])('%s', (_, base, mine, theirs, result) => {
    expect(open(base, mine, theirs)).toEqual([]);
    expect(merged(base, mine, theirs)).toBe(result);
  });
});

describe('leaves to choose', () => {
  it('what both changed, in this order', () => {
    const [hunk, ...more] = open('a\nb\nc', 'a\nmine\nc', 'a\ntheirs\nc');
    expect(more).toEqual([]);
    expect(hunk).toEqual({
      at: { before: 1, mine: 1, theirs: 1 },
      before: ['b'],
      mine: ['mine'],
      theirs: ['theirs'],
      changed: 'both',
    });
    expect(all('a\nb\nc', 'a\nmine\nc', 'a\ntheirs\nc', 'both')).toBe('a\nmine\ntheirs\nc');
  });

  it('insertions at the same place', () => {
    expect(open('a\nb', 'a\nm\nb', 'a\nt\nb')).toMatchObject([{ mine: ['m'], theirs: ['t'], before: [] }]);
  });

  it('changes of neighbouring lines', () => {
    expect(open('a\nb\nc\nd', 'a\nB\nc\nd', 'a\nb\nC\nd')).toHaveLength(1);
  });

  it('everything that differs, where the base is not known', () => {
    expect(open(undefined, 'a\nm\nb\nc', 'a\nb\nt')).toHaveLength(2);
    expect(open(undefined, 'a\nm\nb\nc', 'a\nb\nt')[0]).toMatchObject({ mine: ['m'], theirs: [] });
  });
});

describe('for any three texts', () => {
  const CHOICES: Choice[] = ['mine', 'theirs', 'both', 'before'];

  function edit(lines: string[], random: Random): string[] {
    const edited = [...lines];
    for (let edits = random.below(4); edits > 0; edits -= 1) {
      const at = random.below(edited.length + 1);
      edited.splice(
        at,
        random.below(3),
        ...Array.from({ length: random.below(3) }, () => random.pick(['', 'x', 'y', 'z'])),
      );
    }
    return edited;
  }

  function* some(): Generator<[string, string, string, Random]> {
    const random = randomFrom(5);
    for (let i = 0; i < 3_000; i += 1) {
      const base = Array.from({ length: random.below(12) }, () => random.pick(['', 'a', 'b', 'c', 'd']));
      yield [base.join('\n'), edit(base, random).join('\n'), edit(base, random).join('\n'), random];
    }
  }

  it('one choice everywhere gives that text', () => {
    for (const [base, mine, theirs] of some()) {
      expect(all(base, mine, theirs, 'mine')).toBe(mine);
      expect(all(base, mine, theirs, 'theirs')).toBe(theirs);
      expect(all(base, mine, theirs, 'before')).toBe(base);
      expect(all(undefined, mine, theirs, 'mine')).toBe(mine);
      expect(all(undefined, mine, theirs, 'theirs')).toBe(theirs);
    }
  });

  it('with what only one changed, that one counts', () => {
    for (const [base, mine] of some()) {
      expect(merged(base, mine, base)).toBe(mine);
      expect(merged(base, base, mine)).toBe(mine);
      expect(merged(base, mine, mine)).toBe(mine);
    }
  });

  it('another choice put into its span gives the text of that choice', () => {
    for (const [base, mine, theirs, random] of some()) {
      const pieces = mergeTexts(base, mine, theirs);
      const choices = hunksOf(pieces).map(() => random.pick(CHOICES));
      if (choices.length === 0) continue;
      const { text, spans } = compose(pieces, choices);
      const at = random.below(choices.length);
      const { from, to } = spans[at] as { from: number; to: number };
      const wanted = random.pick(CHOICES);
      expect(text.slice(from, to)).toBe(spanText(pieces, at, choices[at] as Choice));
      expect(text.slice(0, from) + spanText(pieces, at, wanted) + text.slice(to)).toBe(
        compose(pieces, choices.with(at, wanted)).text,
      );
    }
  });
});
