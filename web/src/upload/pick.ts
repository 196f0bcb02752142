// Asks the visitor for files, a folder or a photo, in the browser's own window. Where it gives handles they are taken:
// by them an upload goes on after a reload, and a folder tells of the folders in it that are empty.
import { isAbort } from '../api/client';
import { fromHandles, fromPicked, type Source } from './gather';

interface Pickers {
  showOpenFilePicker?: (options: { multiple: boolean }) => Promise<FileSystemFileHandle[]>;
  showDirectoryPicker?: () => Promise<FileSystemDirectoryHandle>;
}

/** What was picked; null if the visitor thought better of it. */
export async function pick(what: 'files' | 'folder' | 'camera'): Promise<Source | null> {
  const { showOpenFilePicker, showDirectoryPicker } = window as Pickers;
  try {
    if (what === 'files' && showOpenFilePicker)
      return fromHandles(await showOpenFilePicker({ multiple: true }));
    if (what === 'folder' && showDirectoryPicker) return fromHandles([await showDirectoryPicker()]);
  } catch (error) {
    if (isAbort(error)) return null;
    // Where its own window may not open, the old way may.
  }
  const files = await pickByInput(what);
  return files.length > 0 ? fromPicked(files) : null;
}

function pickByInput(what: 'files' | 'folder' | 'camera'): Promise<File[]> {
  return new Promise((done) => {
    const input = document.createElement('input');
    input.type = 'file';
    input.multiple = what !== 'camera';
    input.hidden = true;
    if (what === 'folder') input.webkitdirectory = true;
    if (what === 'camera') {
      input.accept = 'image/*,video/*';
      input.setAttribute('capture', 'environment');
    }
    const finish = () => {
      input.remove();
      done([...(input.files ?? [])]);
    };
    input.addEventListener('change', finish);
    input.addEventListener('cancel', finish);
    // Some phones forget an input that is not in the page.
    document.body.append(input);
    input.click();
  });
}
