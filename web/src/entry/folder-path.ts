// Absolute folders of a machine, whose system one can tell from how they are written.

/** One more name at the end of an absolute folder. */
export function joinFolder(folder: string, name: string): string {
  const separator = /^[a-z]:\\|^\\\\/i.test(folder) ? '\\' : '/';
  return folder.endsWith(separator) ? folder + name : folder + separator + name;
}

/** The last name of an absolute folder, for a title; the folder itself if it is a root. */
export function folderName(folder: string): string {
  return folder.split(/[/\\]/).filter(Boolean).pop() ?? folder;
}
