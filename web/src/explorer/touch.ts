// A long press with a finger, told apart from a tap and from scrolling.

const HOLD_MS = 450;
/** A finger is never quite still. */
const SLACK = 10;

export class LongPress {
  #timer: ReturnType<typeof setTimeout> | undefined;
  #start = { x: 0, y: 0 };
  /** True from the press until the click that the browser makes of it has passed. */
  #fired = false;
  #pressed: (target: Element) => void;

  constructor(pressed: (target: Element) => void) {
    this.#pressed = pressed;
  }

  down(event: PointerEvent): void {
    this.cancel();
    this.#fired = false;
    if (event.pointerType !== 'touch') return;
    const target = event.target as Element;
    this.#start = { x: event.clientX, y: event.clientY };
    this.#timer = setTimeout(() => {
      this.#fired = true;
      navigator.vibrate?.(10);
      this.#pressed(target);
    }, HOLD_MS);
  }

  move(event: PointerEvent): void {
    if (Math.hypot(event.clientX - this.#start.x, event.clientY - this.#start.y) > SLACK) this.cancel();
  }

  cancel(): void {
    clearTimeout(this.#timer);
  }

  /** True if this click is what is left of a long press. */
  swallow(): boolean {
    const fired = this.#fired;
    this.#fired = false;
    return fired;
  }
}
