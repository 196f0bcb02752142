import type { ElementContent, Root } from 'hast';
import { describe, expect, it } from 'vitest';
import { renderMarkdown } from './markdown';

const addresses = {
  path: 'docs/README.md',
  content: (path: string) => `/content?path=${path}`,
  page: (path: string) => `/page/${path}`,
};

/** The tree as HTML, for reading in assertions only. */
function html(text: string): string {
  const write = (node: ElementContent): string => {
    if (node.type === 'text') return node.value.replace(/&/g, '&amp;').replace(/</g, '&lt;');
    if (node.type !== 'element') return `<!${node.type}>`;
    const attributes = Object.entries(node.properties).map(
      ([name, value]) => ` ${name}="${Array.isArray(value) ? value.join(' ') : String(value)}"`,
    );
    return `<${node.tagName}${attributes.join('')}>${node.children.map(write).join('')}</${node.tagName}>`;
  };
  const root: Root = renderMarkdown(text, addresses);
  return root.children
    .map((node) => write(node as ElementContent))
    .join('')
    .trim();
}

describe('what a document means', () => {
  it.each([
    ['# Title', '<h1 id="user-content-title">Title</h1>'],
    ['**b** and `c`', '<p><strong>b</strong> and <code>c</code></p>'],
    ['~~gone~~', '<p><del>gone</del></p>'],
    ['<kbd>Ctrl</kbd>', '<p><kbd>Ctrl</kbd></p>'],
    ['```rust\nfn a() {}\n```', '<pre><code className="language-rust">fn a() {}\n</code></pre>'],
    ['[a](other.md)', '<p><a href="/page/docs/other.md">a</a></p>'],
    ['[a](#part)', '<p><a href="#user-content-part">a</a></p>'],
    [
      '[a](https://example.org/)',
      '<p><a href="https://example.org/" target="_blank" rel="noopener noreferrer">a</a></p>',
    ],
    [
      '![a](img/b.png)',
      '<p><img src="/content?path=docs/img/b.png" alt="a" loading="lazy" decoding="async"></img></p>',
    ],
    [
      '<img src="b.png" width="40">',
      '<img src="/content?path=docs/b.png" width="40" loading="lazy" decoding="async"></img>',
    ],
  ])('%j', (text, expected) => {
    expect(html(text)).toBe(expected);
  });
  it('draws tables and task lists', () => {
    expect(html('|a|b|\n|-|-|\n|1|2|')).toContain('<th>a</th>');
    expect(html('- [x] done')).toContain(
      '<input type="checkbox" checked="true" disabled="true" aria-label="done">',
    );
  });
  it('tells headings of the same words apart', () => {
    expect(html('# A b!\n\n## A b!')).toMatch(/user-content-a-b".*user-content-a-b-1"/s);
  });
});

describe('nothing active, nothing from elsewhere', () => {
  it.each([
    '<script>alert(1)</script>',
    '<img src=x onerror=alert(1)>',
    '<svg onload=alert(1)><script>alert(1)</script></svg>',
    '<svg><foreignObject><iframe src=javascript:alert(1)></iframe></foreignObject></svg>',
    '<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>',
    '<iframe src="javascript:alert(1)"></iframe>',
    '<iframe srcdoc="<script>alert(1)</script>"></iframe>',
    '<object data="x.html"></object><embed src="x.html">',
    '<form action="/api/v1/auth/logout"><button formaction="javascript:alert(1)">x</button></form>',
    '<base href="https://evil.example/">',
    '<meta http-equiv="refresh" content="0;url=https://evil.example/">',
    '<link rel="stylesheet" href="https://evil.example/">',
    '<style>@import "https://evil.example/"</style>',
    '<p style="background:url(https://evil.example/)">x</p>',
    '<video src="https://evil.example/a.mp4" autoplay></video>',
    '<picture><source srcset="https://evil.example/a.png"><img src="a.png"></picture>',
    '<img srcset="https://evil.example/a.png 1x" src="a.png">',
    '<table background="https://evil.example/a.png"><tr><td>x</td></tr></table>',
    '<template><script>alert(1)</script></template>',
    '<noscript><p title="</noscript><img src=x onerror=alert(1)>">',
    '<a href="javascript:alert(1)">x</a>',
    '<a href="java&#10;script:alert(1)">x</a>',
    '<a href="&#1;javascript:alert(1)">x</a>',
    '[x](javascript:alert(1))',
    '[x](data:text/html;base64,PHNjcmlwdD4=)',
    '<javascript:alert(1)>',
    '![x](javascript:alert(1))',
    '![x](data:image/svg+xml,<svg/onload=alert(1)>)',
    '"><script>alert(1)</script>',
  ])('%s', (text) => {
    const drawn = html(text);
    expect(drawn).not.toMatch(
      /<(script|svg|math|iframe|object|embed|form|button|base|meta|link|style|video|source|picture|template|foreignObject)/i,
    );
    expect(drawn).not.toMatch(/ (on\w+|style|srcset|srcSet|srcdoc|background|formaction)="/i);
    expect(drawn).not.toMatch(/(href|src)="\s*(javascript|data|vbscript):/i);
    expect(drawn).not.toMatch(/src="(https?:)?\/\/|="[^"]*evil\.example/i);
  });
  it('shows a picture from elsewhere as a link only', () => {
    expect(html('![logo](https://example.org/a.png)')).toBe(
      '<p><a className="image-not-loaded" href="https://example.org/a.png" target="_blank" rel="noopener noreferrer">logo</a></p>',
    );
  });
  it('keeps names out of the page’s own', () => {
    expect(html('<p id="app" name="app">x</p>')).toBe('<p id="user-content-app">x</p>');
  });
  it('is not brought down by depth', () => {
    expect(html('> '.repeat(300) + 'x').length).toBeLessThan(10_000);
  });
});
