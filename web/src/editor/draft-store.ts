// Drafts in the browser's own database, and what this tab is called there. Knows nothing of what a draft is for.
import { session } from '../state/session.svelte';
import { Drafts, type Draft, type DraftStore } from './drafts';

const DATABASE = 'lanthorn-drafts';
const STORE = 'drafts';
const TAB = 'lanthorn.tab';

let opened: Promise<IDBDatabase> | undefined;

function open(): Promise<IDBDatabase> {
  opened ??= new Promise<IDBDatabase>((done, fail) => {
    const request = indexedDB.open(DATABASE, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE);
    request.onsuccess = () => done(request.result);
    request.onerror = () => fail(request.error ?? new Error('no database'));
  });
  // A browser that refused once may be asked again.
  opened.catch(() => (opened = undefined));
  return opened;
}

async function run<T>(mode: IDBTransactionMode, act: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  const transaction = (await open()).transaction(STORE, mode);
  return new Promise((done, fail) => {
    const request = act(transaction.objectStore(STORE));
    transaction.oncomplete = () => done(request.result);
    transaction.onabort = () => fail(transaction.error ?? new Error('not kept'));
  });
}

const inBrowser: DraftStore = {
  put: async (key, draft) => void (await run('readwrite', (store) => store.put(draft, key))),
  delete: async (key) => void (await run('readwrite', (store) => store.delete(key))),
  all: () => run('readonly', (store) => store.getAll() as IDBRequest<Draft[]>),
};

/** This tab's name; the same after a reload, and where the browser opens a closed tab again. */
function tabName(): string {
  const known = sessionStorage.getItem(TAB);
  if (known) return known;
  const made = Array.from(crypto.getRandomValues(new Uint32Array(3)), (part) => part.toString(36)).join('');
  sessionStorage.setItem(TAB, made);
  return made;
}

/** The drafts of who is signed in. */
export const myDrafts = (): Drafts => new Drafts(inBrowser, session.me?.principal ?? '', tabName());
