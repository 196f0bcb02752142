// The sections of the page, as the sidebar and a phone's tabs list them: who sees which.
import Activity from '@lucide/svelte/icons/scroll-text';
import Devices from '@lucide/svelte/icons/monitor-smartphone';
import Folders from '@lucide/svelte/icons/folder-closed';
import Merge from '@lucide/svelte/icons/git-merge';
import People from '@lucide/svelte/icons/users';
import Settings from '@lucide/svelte/icons/settings';
import type { Component } from 'svelte';
import { ACTIVITY, DEVICES, MACHINES, MERGE, PEOPLE, SETTINGS, type Route } from '../routes';
import type { Words } from '../text/en';

export interface Section {
  href: string;
  label: (words: Words) => string;
  icon: Component<{ size?: number; strokeWidth?: number }>;
  pages: Route['page'][];
  /** True for what concerns only who runs this machine. */
  owner?: boolean;
  /** True for what is there only while something waits in it. */
  waits?: boolean;
}

/** The first ones have a tab of their own on a phone; the rest is under "More". */
export const TABS = 2;

const SECTIONS: Section[] = [
  {
    href: MACHINES,
    label: ({ nav }) => nav.files,
    icon: Folders,
    pages: ['machines', 'folder', 'edit', 'trash'],
  },
  { href: DEVICES, label: ({ nav }) => nav.devices, icon: Devices, pages: ['devices'] },
  { href: MERGE, label: ({ nav }) => nav.merge, icon: Merge, pages: ['merge'], waits: true },
  { href: PEOPLE, label: ({ nav }) => nav.people, icon: People, pages: ['people'], owner: true },
  { href: ACTIVITY, label: ({ nav }) => nav.activity, icon: Activity, pages: ['activity'] },
  { href: SETTINGS, label: ({ nav }) => nav.settings, icon: Settings, pages: ['settings'] },
];

/** The sections for an owner or somebody else, while so many files wait to be merged or that page is open. */
export const sectionsFor = (owner: boolean, waiting: boolean): Section[] =>
  SECTIONS.filter((section) => (owner || !section.owner) && (waiting || !section.waits));
