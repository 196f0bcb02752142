// The sections of the page, as the sidebar and a phone's tabs list them: who sees which.
import Activity from '@lucide/svelte/icons/scroll-text';
import Devices from '@lucide/svelte/icons/monitor-smartphone';
import Inbox from '@lucide/svelte/icons/inbox';
import Folders from '@lucide/svelte/icons/folder-closed';
import Merge from '@lucide/svelte/icons/git-merge';
import People from '@lucide/svelte/icons/users';
import Settings from '@lucide/svelte/icons/settings';
import Transfers from '@lucide/svelte/icons/arrow-left-right';
import type { Component } from 'svelte';
import {
  ACTIVITY,
  DEVICES,
  INBOX,
  MACHINES,
  MERGE,
  PEOPLE,
  SETTINGS,
  TRANSFERS,
  type Route,
} from '../routes';
import { isOffer, transfers, wantsPasscode } from '../state/transfers.svelte';
import { twoVersions } from '../state/two-versions.svelte';
import type { Words } from '../text/en';

export interface Section {
  href: string;
  label: (words: Words) => string;
  icon: Component<{ size?: number; strokeWidth?: number }>;
  pages: Route['page'][];
  /** True for what concerns only who runs this machine. */
  owner?: boolean;
  /** How much waits in it for the visitor. */
  waiting?: () => number;
  /** The same in words. */
  waitingWords?: (words: Words, count: number) => string;
  /** True for what is there only while something waits in it. */
  passing?: boolean;
}

/** The first ones have a tab of their own on a phone; the rest is under "More". */
export const TABS = 4;

const SECTIONS: Section[] = [
  {
    href: MACHINES,
    label: ({ nav }) => nav.files,
    icon: Folders,
    pages: ['machines', 'folder', 'edit', 'trash'],
  },
  {
    href: INBOX,
    label: ({ nav }) => nav.inbox,
    icon: Inbox,
    pages: ['inbox'],
    waiting: () => transfers.all.filter(isOffer).length,
    waitingWords: ({ nav }, count) => nav.offersWaiting(count),
  },
  {
    href: TRANSFERS,
    label: ({ nav }) => nav.transfers,
    icon: Transfers,
    pages: ['transfers'],
    waiting: () => transfers.all.filter(wantsPasscode).length,
    waitingWords: ({ nav }, count) => nav.passcodesWaiting(count),
  },
  { href: DEVICES, label: ({ nav }) => nav.devices, icon: Devices, pages: ['devices'] },
  {
    href: MERGE,
    label: ({ nav }) => nav.merge,
    icon: Merge,
    pages: ['merge'],
    waiting: () => twoVersions.count,
    waitingWords: ({ nav }, count) => nav.waiting(count),
    passing: true,
  },
  { href: PEOPLE, label: ({ nav }) => nav.people, icon: People, pages: ['people'], owner: true },
  { href: ACTIVITY, label: ({ nav }) => nav.activity, icon: Activity, pages: ['activity'] },
  { href: SETTINGS, label: ({ nav }) => nav.settings, icon: Settings, pages: ['settings'] },
];

/** The sections for an owner or somebody else; what is there only for a while also while its page is open. */
export const sectionsFor = (owner: boolean, page: Route['page']): Section[] =>
  SECTIONS.filter(
    (section) =>
      (owner || !section.owner) &&
      (!section.passing || section.pages.includes(page) || (section.waiting?.() ?? 0) > 0),
  );
