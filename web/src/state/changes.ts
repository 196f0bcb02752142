// Word that something in a share is not as it was, for those who show it. Knows nothing of what it was.
import type { Place } from '../api/files';

/** `paths`: what came about, where somebody may want to see it. */
type Listener = (place: Place, paths: string[]) => void;

class Changes {
  #listeners = new Set<Listener>();

  /** Calls back whenever a share has changed. Returns how to stop. */
  listen(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  tell(place: Place, paths: string[] = []): void {
    for (const listener of this.#listeners) listener(place, paths);
  }
}

export const changes = new Changes();
