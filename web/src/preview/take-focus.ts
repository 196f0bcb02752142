// Gives the keys to what was just opened, so that arrows and Page Down scroll it at once.

/** Focuses `node` unless the visitor is already on something of the preview's own. */
export function takeFocus(node: HTMLElement): void {
  const active = document.activeElement;
  if (!active || active === document.body || active.contains(node))
    node.focus({ preventScroll: true, focusVisible: false } as FocusOptions);
}
