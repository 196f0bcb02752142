// Where what came in a transfer is seen in the page.
import type { Transfer, TransferItem } from '../api/types';
import { fileHref, folderHref } from '../routes';
import { catalog } from '../state/catalog.svelte';

/** The share it went to, if the visitor may look into it. */
function shareOf({ receiver_share_id: id, receiver_device_id: device }: Transfer): string | undefined {
  return (id ? catalog.share(id) : catalog.inboxOf(device))?.id;
}

/** The page that shows an item in its place; undefined while it is in none that the visitor sees. */
export function itemHref(transfer: Transfer, { final_path: path, kind }: TransferItem): string | undefined {
  const share = shareOf(transfer);
  if (!share || !path) return undefined;
  const place = { device: transfer.receiver_device_id, share, path };
  return kind === 'folder' ? folderHref(place) : fileHref(place);
}

/** The page that shows all of it: the item itself where it is one, else the folder that it went to. */
export function landedHref(transfer: Transfer): string | undefined {
  const landed = transfer.items.filter(({ final_path }) => final_path);
  const [first] = landed;
  const share = shareOf(transfer);
  if (!first || !share) return undefined;
  if (landed.length === 1) return itemHref(transfer, first);
  return folderHref({ device: transfer.receiver_device_id, share, path: transfer.destination_path ?? '' });
}
