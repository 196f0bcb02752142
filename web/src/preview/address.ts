// Where a link written inside a document of a share leads: another file of the share, another site, or nowhere.
// Pure; knows the text form of paths (see RelPath) and nothing of the page's own addresses.

export type Address =
  | { to: 'file'; path: string; fragment: string }
  | { to: 'here'; fragment: string }
  | { to: 'outside'; url: string }
  | { to: 'nowhere' };

const OUTSIDE = new Set(['http:', 'https:', 'mailto:']);

/** Where `link` leads, as written in the document at `path` (text form, from the share's root). */
export function resolveLink(link: string, path: string): Address {
  const text = link.trim();
  if (text.startsWith('#')) return { to: 'here', fragment: decodePart(text.slice(1)) ?? '' };
  if (/^[a-z][a-z0-9+.-]*:/i.test(text) || text.startsWith('//') || text.startsWith('\\'))
    return outside(text);
  const [, place = '', fragment = ''] = /^([^?#]*)[^#]*#?(.*)$/s.exec(text) ?? [];
  const names = resolveNames(place, path);
  return names?.length ? { to: 'file', path: names.join('/'), fragment } : { to: 'nowhere' };
}

function outside(text: string): Address {
  try {
    const url = new URL(text);
    return OUTSIDE.has(url.protocol) ? { to: 'outside', url: url.href } : { to: 'nowhere' };
  } catch {
    return { to: 'nowhere' };
  }
}

/** The names from the share's root, or undefined if the place is above it or is not one. */
function resolveNames(place: string, path: string): string[] | undefined {
  const names = place.startsWith('/') ? [] : path.split('/').slice(0, -1);
  for (const part of place.split('/')) {
    const name = decodePart(part);
    if (name === undefined || name.includes('/')) return undefined;
    if (name === '' || name === '.') continue;
    if (name === '..') {
      if (!names.length) return undefined;
      names.pop();
    } else {
      names.push(escapeName(name));
    }
  }
  return names;
}

function decodePart(part: string): string | undefined {
  try {
    return decodeURIComponent(part);
  } catch {
    return undefined;
  }
}

/** The text form of a name: what a screen would misread is written as `\xHH`. */
export function escapeName(name: string): string {
  const drive = /^[a-z]:/i.test(name);
  // eslint-disable-next-line no-control-regex -- control characters are what it looks for
  return name.replace(/[\u0000-\u001f\u007f-\u009f\\]|:/g, (c, at: number) =>
    c === ':' && !(drive && at === 1) ? c : escapeBytes(c),
  );
}

function escapeBytes(character: string): string {
  return Array.from(
    new TextEncoder().encode(character),
    (byte) => '\\x' + byte.toString(16).padStart(2, '0'),
  ).join('');
}
