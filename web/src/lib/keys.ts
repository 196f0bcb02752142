// Reading the keyboard.

const isMac = /mac|iphone|ipad/i.test(navigator.platform);

/** Ctrl, or ⌘ on a Mac. */
export const withCommand = (event: KeyboardEvent | MouseEvent) => (isMac ? event.metaKey : event.ctrlKey);

/** Ctrl-S, which means the text that is edited and never the page, as the browser would have it. */
export const isSaveKey = (event: KeyboardEvent) =>
  withCommand(event) && !event.altKey && !event.shiftKey && event.key.toLowerCase() === 's';

/** How a key with Ctrl or ⌘ is written on this system. */
export const commandKey = (key: string) => (isMac ? `⌘${key}` : `Ctrl ${key}`);

/** True where keys are text: the page's own keys must wait. */
export function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  return target.isContentEditable || /^(input|textarea|select)$/i.test(target.tagName);
}

/** True for a key that is one character and goes with no other. */
export function isCharacter(event: KeyboardEvent): boolean {
  return event.key.length === 1 && !event.ctrlKey && !event.metaKey && !event.altKey && !event.isComposing;
}

// What the visitor did last was to press a key.
let pressedLast = false;
addEventListener('keydown', () => (pressedLast = true), true);
addEventListener('pointerdown', () => (pressedLast = false), true);

/** Whether the visitor is at the keys, and so must see where the focus is. */
export const atKeys = () => pressedLast;
