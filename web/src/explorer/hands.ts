// What one does with chosen entries, wherever they are listed: by menu, by bar, by keys. Which of it is possible is
// decided here once.
import ClipboardPaste from '@lucide/svelte/icons/clipboard-paste';
import Copy from '@lucide/svelte/icons/files';
import Pencil from '@lucide/svelte/icons/pencil-line';
import Scissors from '@lucide/svelte/icons/scissors';
import Trash from '@lucide/svelte/icons/trash';
import { commandKey } from '../lib/keys';
import { manage, type Way } from '../state/manage.svelte';
import type { Chosen } from '../state/entries';
import { mayWrite } from '../state/rights';
import type { Words } from '../text/en';
import { SEPARATOR, type MenuLine } from '../ui/menu';

/** Whether all of these may be changed where they are. */
export const mayChange = (chosen: readonly Chosen[]) =>
  chosen.length > 0 && chosen.every(({ place }) => mayWrite(place));

/** Names are changed in one share at a time. */
export const mayRename = (chosen: readonly Chosen[]) =>
  mayChange(chosen) && new Set(chosen.map(({ place }) => place.share)).size === 1;

/** Lines of a menu for what may be done with these; what is not possible is left out. */
export function changeLines(
  chosen: Chosen[],
  words: Words,
  hold: (way: Way) => void,
  all: (run: (chosen: Chosen[]) => void) => void,
): MenuLine[] {
  const { manage: text } = words;
  const [first] = chosen;
  const copy: MenuLine = { label: text.copy, icon: Copy, keys: commandKey('C'), run: () => hold('copy') };
  if (!first || !mayChange(chosen)) return [SEPARATOR, copy];
  const folder = chosen.length === 1 && first.entry.type === 'folder' ? first : undefined;
  const paste: MenuLine[] =
    folder && manage.clip
      ? [
          {
            label: text.paste,
            icon: ClipboardPaste,
            run: () => manage.paste({ ...folder.place, path: folder.entry.path }),
          },
        ]
      : [];
  const rename: MenuLine = {
    label: text.renameMenu,
    icon: Pencil,
    keys: 'F2',
    run: () => all(manage.rename),
  };
  return [
    SEPARATOR,
    ...(mayRename(chosen) ? [rename] : []),
    { label: text.cut, icon: Scissors, keys: commandKey('X'), run: () => hold('move') },
    copy,
    ...paste,
    { label: text.delete, icon: Trash, keys: 'Del', danger: true, run: () => all(manage.remove) },
  ];
}
