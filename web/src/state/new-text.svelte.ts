// In which folder a new text file is being made: one window for the whole page.
import type { FolderPlace } from '../routes';

class NewText {
  folder = $state.raw<FolderPlace | null>(null);
  open = $state(false);

  show(folder: FolderPlace): void {
    this.folder = folder;
    this.open = true;
  }
}

export const newText = new NewText();
