// The changes that were left in this browser, each with what has become of its file.
import { ApiFailure } from '../api/client';
import { stat } from '../api/files';
import { myDrafts } from '../editor/draft-store';
import type { Draft } from '../editor/drafts';
import { standOf, type Now, type Stand } from './stand';

export interface Waiting {
  draft: Draft;
  stand: Stand;
}

export async function waiting(): Promise<Waiting[]> {
  // A browser that keeps no drafts has none waiting.
  const drafts = await myDrafts()
    .all()
    .catch(() => []);
  return Promise.all(drafts.map(async (draft) => ({ draft, stand: standOf(draft, await nowAt(draft)) })));
}

async function nowAt({ place, path }: Draft): Promise<Now> {
  try {
    return await stat(place, path);
  } catch (error) {
    return error instanceof ApiFailure && error.status === 404 ? null : 'away';
  }
}
