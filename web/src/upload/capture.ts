// Takes what was dropped or pasted out of its event, which forgets it as soon as it is over. What is in it is walked
// through later: see gather.ts.

/** What the browser hands over of one dropped thing: only during the event itself. */
interface Thing {
  entry: FileSystemEntry | null;
  file: File | null;
  handle: Promise<FileSystemHandle | null>;
}

export type Dropped = Thing[];

interface HandleItem extends DataTransferItem {
  getAsFileSystemHandle?: () => Promise<FileSystemHandle | null>;
}

export function capture(data: DataTransfer): Dropped {
  return [...data.items]
    .filter(({ kind }) => kind === 'file')
    .map((item: HandleItem) => ({
      // A promise first: it must be asked for before anything is awaited.
      handle: item.getAsFileSystemHandle?.().catch(() => null) ?? Promise.resolve(null),
      entry: item.webkitGetAsEntry?.() ?? null,
      file: item.getAsFile(),
    }));
}

/** True while files from outside the browser are held over the page. */
export const hasFiles = (data: DataTransfer | null) => data?.types.includes('Files') ?? false;
