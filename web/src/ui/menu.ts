// What a menu offers, apart from how it looks.
import type { Component } from 'svelte';

export interface MenuItem {
  label: string;
  icon?: Component<{ size?: number }>;
  /** Shown at the end of the line: the key that does the same. */
  keys?: string;
  disabled?: boolean;
  danger?: boolean;
  /** For a choice among several: true for the one in force. */
  checked?: boolean;
  /** With a link the item is one, so that the browser does the download. */
  href?: string;
  download?: boolean | string;
  run?: () => void;
}

/** A hairline between groups. */
export const SEPARATOR = 'separator';

export type MenuLine = MenuItem | typeof SEPARATOR;

/** Where a menu opens: beside an element, or at a point of the page. */
export type MenuAnchor = { element: Element } | { x: number; y: number };

const GAP = 6;

interface Size {
  width: number;
  height: number;
}

/** The corner at which a menu of this size is wholly on the screen. */
export function placeMenu(anchor: MenuAnchor, menu: Size, screen: Size): { left: number; top: number } {
  const box = 'element' in anchor ? anchor.element.getBoundingClientRect() : new DOMRect(anchor.x, anchor.y);
  const fromRight = 'element' in anchor && box.left + menu.width > screen.width - GAP;
  const left = fromRight ? box.right - menu.width : box.left;
  const below = box.bottom + ('element' in anchor ? 4 : 0);
  const fits = below + menu.height <= screen.height - GAP;
  const top = fits ? below : box.top - menu.height - 4;
  return {
    left: Math.max(GAP, Math.min(left, screen.width - menu.width - GAP)),
    top: Math.max(GAP, Math.min(top, screen.height - menu.height - GAP)),
  };
}
