// Whether files from outside are held over the explorer, and what becomes of them when they are let go.
import type { Attachment } from 'svelte/attachments';
import { consider, isOurs, take, type Target } from '../manage/drag';
import { hasFiles } from '../upload/capture';

/** Browsers tell again and again that something is held; silence means that it went away without a word. */
const SILENCE_MS = 600;

export class Drop {
  /** How many things are held over it; 0 for none. */
  held = $state(0);
  #timer: ReturnType<typeof setTimeout> | undefined;

  /**
   * Watches an element; `target` is the folder that takes things in: null where nothing may be added, undefined where
   * there is no folder.
   */
  over(target: () => Target | null | undefined): Attachment<HTMLElement> {
    return (node) => {
      const leave = new AbortController();
      const on = (name: 'dragover' | 'dragleave' | 'drop', run: (event: DragEvent) => void) =>
        node.addEventListener(name, run, { signal: leave.signal });
      on('dragover', (event) => this.#held(event, target()));
      on('dragleave', ({ relatedTarget }) => {
        if (!node.contains(relatedTarget as Node | null)) this.#gone();
      });
      on('drop', (event) => {
        this.#gone();
        const into = target();
        if (into && hasFiles(event.dataTransfer) && !isOurs(event.dataTransfer)) take(event, into);
      });
      return () => leave.abort();
    };
  }

  #held(event: DragEvent, target: Target | null | undefined): void {
    const { dataTransfer: data } = event;
    if (target === undefined || !data || !hasFiles(data) || isOurs(data)) return;
    if (!target || !consider(event, target.folder)) refuse(event);
    this.held = data.items.length || 1;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#gone(), SILENCE_MS);
  }

  #gone(): void {
    clearTimeout(this.#timer);
    this.held = 0;
  }
}

/** A file that is dropped where it is not taken must not be opened in place of the page. */
export function refuse(event: DragEvent): void {
  if (event.defaultPrevented || !hasFiles(event.dataTransfer)) return;
  event.preventDefault();
  if (event.dataTransfer) event.dataTransfer.dropEffect = 'none';
}
