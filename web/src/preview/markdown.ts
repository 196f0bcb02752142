// Markdown (with GitHub's additions) to a tree that is safe to show. No HTML text is ever handed to the browser: the tree
// is built here, reduced to an allow-list, its addresses judged, and drawn by tree.ts element by element.
// Pure: runs without a page. Knows nothing of shares beyond the functions handed in.

import type { Element, ElementContent, Root, RootContent } from 'hast';
import { raw } from 'hast-util-raw';
import { defaultSchema, sanitize, type Schema } from 'hast-util-sanitize';
import { fromMarkdown } from 'mdast-util-from-markdown';
import { gfmFromMarkdown } from 'mdast-util-gfm';
import { toHast } from 'mdast-util-to-hast';
import { gfm } from 'micromark-extension-gfm';
import { resolveLink } from './address';

/** The most characters that are rendered: beyond, the source is shown, which has no such limit. */
export const MAX_MARKDOWN = 400_000;
/** Beyond this depth the rest is left out: no document means it, and it must not exhaust the stack. */
const MAX_DEPTH = 100;
/** What every id in a document begins with, so that none can pass for one of the page's own. */
export const ID_PREFIX = 'user-content-';

export type Addresses = {
  /** The document's own path, text form, from the share's root. */
  path: string;
  /** The address of a file's content. */
  content: (path: string) => string;
  /** The page that shows a file of the share. */
  page: (path: string) => string;
};

const SCHEMA: Schema = {
  ...defaultSchema,
  tagNames: defaultSchema.tagNames?.filter((tag) => tag !== 'picture' && tag !== 'source'),
  attributes: {
    a: ['href', ['dataFootnoteRef'], ['dataFootnoteBackref']],
    code: [['className', /^language-./]],
    img: ['src', 'width', 'height'],
    input: [['disabled', true], ['type', 'checkbox'], 'checked'],
    li: [['className', 'task-list-item']],
    section: [['className', 'footnotes']],
    td: ['colSpan', 'rowSpan'],
    th: ['colSpan', 'rowSpan', 'scope'],
    ol: ['start', 'reversed'],
    '*': ['align', 'alt', 'dir', 'id', 'lang', 'open', 'title'],
  },
  clobber: ['id', 'name'],
  clobberPrefix: ID_PREFIX,
  // Addresses are judged below, one by one, with the share in mind.
  protocols: {},
  strip: ['script', 'style', 'title', 'template', 'noscript', 'textarea', 'iframe', 'object', 'svg', 'math'],
};

/** The safe tree of a document. */
export function renderMarkdown(text: string, addresses: Addresses): Root {
  const words = fromMarkdown(text, { extensions: [gfm()], mdastExtensions: [gfmFromMarkdown()] });
  const tree = raw(toHast(words, { allowDangerousHtml: true, clobberPrefix: '' }));
  const safe = sanitize(tree, SCHEMA);
  const root: Root = safe.type === 'root' ? safe : { type: 'root', children: [safe as RootContent] };
  nameHeadings(root);
  root.children = root.children.flatMap((node) => settle(node as ElementContent, addresses, 0));
  return root;
}

function settle(node: ElementContent, addresses: Addresses, depth: number): ElementContent[] {
  if (node.type !== 'element') return node.type === 'text' ? [node] : [];
  if (depth > MAX_DEPTH) return [];
  if (node.tagName === 'img') return [settleImage(node, addresses)];
  if (node.tagName === 'a') settleLink(node, addresses);
  if (node.tagName === 'li') nameBox(node);
  node.children = node.children.flatMap((child) => settle(child, addresses, depth + 1));
  return [node];
}

/** A box to tick is called as the words beside it, which no label element ties to it. */
function nameBox(item: Element): void {
  const within = (node: Element) => node.children.filter((child) => child.type === 'element');
  const boxes = [...within(item), ...within(item).flatMap(within)];
  const box = boxes.find(({ tagName }) => tagName === 'input');
  if (box) box.properties['aria-label'] = textOf(item).trim().split('\n')[0] || '…';
}

function settleLink(link: Element, addresses: Addresses): void {
  const href = typeof link.properties.href === 'string' ? link.properties.href : undefined;
  delete link.properties.href;
  if (href === undefined) return;
  const address = resolveLink(href, addresses.path);
  if (address.to === 'here') link.properties.href = '#' + ID_PREFIX + address.fragment;
  if (address.to === 'file') link.properties.href = addresses.page(address.path);
  if (address.to === 'outside')
    Object.assign(link.properties, { href: address.url, target: '_blank', rel: ['noopener', 'noreferrer'] });
}

/** A picture of the share, or, since nothing is loaded from elsewhere, a link to one that is not. */
function settleImage(image: Element, addresses: Addresses): Element {
  const address = resolveLink(String(image.properties.src ?? ''), addresses.path);
  if (address.to === 'file') {
    Object.assign(image.properties, {
      src: addresses.content(address.path),
      loading: 'lazy',
      decoding: 'async',
    });
    return image;
  }
  const words = String(image.properties.alt || (address.to === 'outside' ? address.url : '') || '…');
  const properties: Element['properties'] = { className: ['image-not-loaded'] };
  if (address.to === 'outside')
    Object.assign(properties, { href: address.url, target: '_blank', rel: ['noopener', 'noreferrer'] });
  return {
    type: 'element',
    tagName: address.to === 'outside' ? 'a' : 'span',
    properties,
    children: [{ type: 'text', value: words }],
  };
}

/** Gives headings the names that links inside the document use, as GitHub makes them. */
function nameHeadings(root: Root): void {
  const seen = new Map<string, number>();
  const visit = (node: RootContent | ElementContent, depth: number): void => {
    if (node.type !== 'element' || depth > MAX_DEPTH) return;
    if (/^h[1-6]$/.test(node.tagName) && !node.properties.id) {
      const slug = slugOf(textOf(node));
      const count = seen.get(slug) ?? 0;
      seen.set(slug, count + 1);
      node.properties.id = ID_PREFIX + slug + (count ? `-${count}` : '');
    }
    node.children.forEach((child) => visit(child, depth + 1));
  };
  root.children.forEach((node) => visit(node, 0));
}

function slugOf(text: string): string {
  return text
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\p{M}\s_-]/gu, '')
    .replace(/\s/g, '-');
}

function textOf(node: ElementContent): string {
  if (node.type === 'text') return node.value;
  return node.type === 'element' ? node.children.map(textOf).join('') : '';
}
