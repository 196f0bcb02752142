// Every word on the page, in English: the dictionary the others are checked against.
// Plain words for people; one section per part of the page.

const plural = (count: number, one: string, many: string) => (count === 1 ? one : many);

export const en = {
  app: {
    name: 'Lanthorn',
    loading: 'Loading…',
    skip: 'Skip to content',
    sections: 'Sections',
    noJavaScript: 'Lanthorn needs JavaScript, which this browser has turned off.',
  },
  common: {
    cancel: 'Cancel',
    close: 'Close',
    clear: 'Clear',
    copied: 'Copied',
    copyFailed: 'The browser did not allow copying. Select the text and copy it yourself.',
    more: 'More',
    retry: 'Try again',
    done: 'Done',
    save: 'Save',
    dismiss: 'Dismiss',
    machineOnline: 'online',
    machineOffline: 'offline',
  },
  nav: {
    files: 'Files',
    settings: 'Settings',
    machines: 'Machines',
    back: 'Back',
    forward: 'Forward',
    thisMachine: 'this machine',
    lookOnly: 'Look and download only',
  },
  missing: {
    title: 'There is no such page',
    text: 'The address may have been mistyped, or what it named is gone.',
    home: 'Go to Files',
  },
  failure: {
    title: 'That did not work',
    unreachable: 'This machine does not answer.',
    unreachableHint: 'Check that Lanthorn is running and that you are on the same network.',
    unknown: (code: string) => `Something went wrong (${code}).`,
    request: (id: string) => `Request ${id}`,
  },
};

export type Words = typeof en;

export { plural };
