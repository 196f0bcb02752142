// Every pair of text and background in the tokens must be readable (WCAG AA), in both themes.
import { describe, expect, it } from 'vitest';
import css from './tokens.css?raw';

type Theme = 'light' | 'dark';
const colours: Record<Theme, Record<string, string>> = { light: {}, dark: {} };
for (const match of css.matchAll(/--([\w-]+):\s*light-dark\(\s*(oklch\([^)]*\)),\s*(oklch\([^)]*\))\s*\)/g)) {
  const [, name = '', light = '', dark = ''] = match;
  colours.light[name] = light;
  colours.dark[name] = dark;
}

/** Linear sRGB of an `oklch(l c h)` colour (the matrices of Björn Ottosson's Oklab). */
function linearRgb(colour: string): [number, number, number] {
  const [lightness = 0, chroma = 0, hue = 0] = (colour.match(/[\d.]+/g) ?? []).map(Number);
  const a = chroma * Math.cos((hue * Math.PI) / 180);
  const b = chroma * Math.sin((hue * Math.PI) / 180);
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const clamp = (x: number) => Math.min(1, Math.max(0, x));
  return [
    clamp(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s),
    clamp(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s),
    clamp(-0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s),
  ];
}

function luminance(colour: string): number {
  const [r, g, b] = linearRgb(colour);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(theme: Theme, front: string, back: string): number {
  const pair = [front, back].map((name) => {
    const colour = colours[theme][name];
    if (!colour) throw new Error(`no token --${name}`);
    return luminance(colour);
  });
  return (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
}

const TEXT: [string, string[]][] = [
  ['text', ['bg', 'bg-sunken', 'bg-raised', 'accent-soft']],
  ['text-2', ['bg', 'bg-sunken', 'bg-raised', 'accent-soft']],
  ['text-3', ['bg', 'bg-sunken', 'bg-raised', 'accent-soft']],
  ['bg', ['text']],
  ['accent-ink', ['accent', 'accent-hover']],
  ['accent-text', ['bg', 'bg-sunken', 'accent-soft']],
  ['ok', ['bg', 'bg-raised']],
  ['warn', ['bg', 'bg-raised', 'warn-soft']],
  ['danger', ['bg', 'bg-raised', 'danger-soft']],
  ['info', ['bg', 'bg-raised']],
  ...['image', 'video', 'audio', 'doc', 'code', 'archive', 'other'].map((kind): [string, string[]] => [
    `kind-${kind}`,
    ['bg'],
  ]),
];

const SHAPES: [string, string[]][] = [
  ['line-strong', ['bg']],
  ['focus', ['bg', 'bg-sunken']],
  ['kind-folder', ['bg']],
];

describe.each(['light', 'dark'] as const)('%s theme', (theme) => {
  const cases = (pairs: [string, string[]][]) =>
    pairs.flatMap(([front, backs]) => backs.map((back) => [front, back]));

  it.each(cases(TEXT))('text %s on %s has 4.5:1', (front, back) => {
    expect(contrast(theme, front ?? '', back ?? '')).toBeGreaterThanOrEqual(4.5);
  });

  it.each(cases(SHAPES))('shape %s on %s has 3:1', (front, back) => {
    expect(contrast(theme, front ?? '', back ?? '')).toBeGreaterThanOrEqual(3);
  });
});
