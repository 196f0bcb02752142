// Draws a safe tree (see markdown.ts) with the DOM's own constructors: no HTML text, hence nothing to inject into.
// Knows nothing of Markdown.

import type { ElementContent, Root } from 'hast';

const NAMES: Record<string, string> = { className: 'class', colSpan: 'colspan', rowSpan: 'rowspan' };

/** The nodes of `tree`, ready to be placed. */
export function drawTree(tree: Root): DocumentFragment {
  const fragment = document.createDocumentFragment();
  for (const node of tree.children) append(fragment, node as ElementContent);
  return fragment;
}

function append(parent: Node, node: ElementContent): void {
  if (node.type === 'text') parent.appendChild(document.createTextNode(node.value));
  if (node.type !== 'element') return;
  const element = document.createElement(node.tagName);
  for (const [name, value] of Object.entries(node.properties)) {
    if (value === null || value === undefined || value === false) continue;
    element.setAttribute(
      attributeName(name),
      value === true ? '' : Array.isArray(value) ? value.join(' ') : String(value),
    );
  }
  for (const child of node.children) append(element, child);
  parent.appendChild(element);
}

function attributeName(property: string): string {
  return NAMES[property] ?? property.replace(/[A-Z]/g, (c) => '-' + c.toLowerCase());
}
