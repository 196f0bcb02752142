// Dragging inside the page, and dropping on what stands for a folder: rows, breadcrumb, shares. Files from outside the
// browser may be dropped there as well.
import type { Attachment } from 'svelte/attachments';
import { capture, hasFiles } from '../upload/capture';
import type { FolderPlace } from '../routes';
import { manage, type Way } from '../state/manage.svelte';
import { mayWrite } from '../state/rights';
import { uploads } from '../state/uploads.svelte';
import { isIdle } from './plan';

/** What is dragged is kept by the page; the event carries only that it is ours. */
const KIND = 'application/x-lanthorn';

/** A folder that takes things in, and what it is called. */
export interface Target {
  folder: FolderPlace;
  name: string;
}

export const isOurs = (data: DataTransfer | null) => data?.types.includes(KIND) ?? false;

/** Begins to drag these, with words as the picture under the pointer. */
export function beginDrag(event: DragEvent, chosen: typeof manage.dragged, words: string): void {
  const { dataTransfer: data } = event;
  if (!data || chosen.length === 0) return;
  manage.dragged = chosen;
  data.effectAllowed = 'copyMove';
  data.setData(KIND, '');
  const picture = document.createElement('div');
  picture.className = 'drag-picture';
  picture.textContent = words;
  document.body.append(picture);
  data.setDragImage(picture, -12, -8);
  // The browser has taken its picture of it once this turn is over.
  setTimeout(() => picture.remove());
}

/** As everywhere: within a share things move, elsewhere they are copied; Ctrl copies, Shift moves. */
export function wayOf(event: DragEvent, folder: FolderPlace): Way {
  if (event.shiftKey) return 'move';
  if (event.ctrlKey || event.altKey) return 'copy';
  const same = manage.dragged.every(
    ({ place }) => place.share === folder.share && place.device === folder.device,
  );
  return same ? 'move' : 'copy';
}

/** Whether this folder takes what is held over it. */
export function accepts(event: DragEvent, folder: FolderPlace): boolean {
  if (!mayWrite(folder)) return false;
  if (!isOurs(event.dataTransfer)) return hasFiles(event.dataTransfer);
  return manage.dragged.some((one) => !isIdle(one, folder));
}

/** Takes what was dropped into this folder. */
export function take(event: DragEvent, { folder, name }: Target): void {
  event.preventDefault();
  event.stopPropagation();
  const { dataTransfer: data } = event;
  if (isOurs(data)) manage.put(manage.dragged, folder, wayOf(event, folder));
  else if (data) void uploads.drop(folder, name, capture(data));
}

/** Shows what a drop here would do; true if it would do something. */
export function consider(event: DragEvent, folder: FolderPlace): boolean {
  const { dataTransfer: data } = event;
  if (!data || !accepts(event, folder)) return false;
  event.preventDefault();
  event.stopPropagation();
  data.dropEffect = isOurs(data) ? wayOf(event, folder) : 'copy';
  return true;
}

const OVER = 'data-into';

/** Lets an element stand for a folder on which things are dropped. */
export function dropTarget(target: () => Target | null): Attachment<HTMLElement> {
  return (node) => {
    const leave = new AbortController();
    const on = (name: 'dragover' | 'dragleave' | 'drop', run: (event: DragEvent) => void) =>
      node.addEventListener(name, run, { signal: leave.signal });
    on('dragover', (event) => {
      const into = target();
      if (into) node.toggleAttribute(OVER, consider(event, into.folder));
    });
    on('dragleave', () => node.removeAttribute(OVER));
    on('drop', (event) => {
      node.removeAttribute(OVER);
      const into = target();
      if (into && accepts(event, into.folder)) take(event, into);
    });
    return () => leave.abort();
  };
}
