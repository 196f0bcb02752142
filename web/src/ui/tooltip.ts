// A word about an icon, on hover and on keyboard focus: `<button {@attach tooltip('Back')}>`.
// One element for the whole page, placed through the CSSOM. It repeats the accessible name, so it is hidden
// from screen readers.
import type { Attachment } from 'svelte/attachments';

/** Long enough not to flicker under a passing mouse. */
const DELAY_MS = 450;
const GAP = 6;

let bubble: HTMLElement | undefined;
let timer: ReturnType<typeof setTimeout> | undefined;

function element(): HTMLElement {
  if (!bubble) {
    bubble = document.createElement('div');
    bubble.className = 'tooltip';
    bubble.setAttribute('aria-hidden', 'true');
    bubble.setAttribute('popover', 'manual');
    document.body.append(bubble);
  }
  return bubble;
}

function show(target: Element, text: string): void {
  const tip = element();
  tip.textContent = text;
  tip.showPopover?.();
  const at = target.getBoundingClientRect();
  const left = Math.min(
    Math.max(GAP, at.left + at.width / 2 - tip.offsetWidth / 2),
    innerWidth - tip.offsetWidth - GAP,
  );
  const below = at.bottom + GAP;
  const top = below + tip.offsetHeight > innerHeight ? at.top - tip.offsetHeight - GAP : below;
  tip.style.left = `${left}px`;
  tip.style.top = `${top}px`;
}

function hide(): void {
  clearTimeout(timer);
  if (bubble?.matches(':popover-open')) bubble.hidePopover();
}

export function tooltip(text: string | undefined): Attachment<HTMLElement> {
  return (node) => {
    if (!text) return;
    const later = (event: Event) => {
      if (event instanceof PointerEvent && event.pointerType === 'touch') return;
      clearTimeout(timer);
      timer = setTimeout(() => show(node, text), DELAY_MS);
    };
    const focused = (event: Event) => {
      if (node.matches(':focus-visible')) later(event);
    };
    const leave = new AbortController();
    const on = (name: string, run: (event: Event) => void) =>
      node.addEventListener(name, run, { signal: leave.signal });
    on('pointerenter', later);
    on('focus', focused);
    for (const name of ['pointerleave', 'pointerdown', 'blur', 'keydown']) on(name, hide);
    return () => {
      leave.abort();
      hide();
    };
  };
}
