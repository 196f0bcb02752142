// What every player does with its film or piece of music, whoever draws its controls.
import type { Attachment } from 'svelte/attachments';
import { getMe } from '../api/auth';
import { session } from '../state/session.svelte';
import { keepAlive } from './keep-alive';

/** Keeps the session while the media plays; when the player goes, calls `leave` and ends the media's request. */
export const attended =
  (leave: () => void): Attachment<HTMLMediaElement> =>
  (media) => {
    const letEnd = keepAlive(media, { ask: getMe, idleSeconds: () => session.me?.idle_seconds });
    return () => {
      letEnd();
      leave();
      // Taking the element away alone leaves the request, and a conversion behind it, to the garbage collector.
      media.removeAttribute('src');
      media.load();
    };
  };

/** Refused where the visitor has not touched the page yet: then the controls are there. */
export function play(media: HTMLMediaElement): void {
  void media.play().catch(() => undefined);
}

export function togglePlay(media: HTMLMediaElement): void {
  if (media.paused) play(media);
  else media.pause();
}

export function toggleFullscreen(element: Element): void {
  const change = document.fullscreenElement ? document.exitFullscreen() : element.requestFullscreen?.();
  void change?.catch(() => undefined);
}
