// The same offer once more: what lies at its source now, to whom it went before. Pure.
import type { OfferTransfer, Transfer } from '../api/types';

/** Undefined where nobody but the sending program knows what it was. */
export function again(transfer: Transfer): OfferTransfer | undefined {
  const { source, message, receiver_principal_id, receiver_device_id, receiver_share_id } = transfer;
  if (!source) return undefined;
  const what = { source, message, items: [] };
  if (receiver_principal_id) return { ...what, receiver_principal_id };
  // Where in an inbox it goes is for its owner to say.
  const destination_path = receiver_share_id ? transfer.destination_path : undefined;
  return { ...what, receiver_device_id, receiver_share_id, destination_path };
}
