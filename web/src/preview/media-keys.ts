// What a key does while a film or piece of music plays: J K L F M, digits and Space, as players everywhere have it.
// Pure; knows no player.

export type MediaAction =
  | { do: 'toggle' }
  | { do: 'skip'; seconds: number }
  | { do: 'jump'; fraction: number }
  | { do: 'mute' }
  | { do: 'fullscreen' };

const SKIP_SECONDS = 10;

/** What `key` does, if anything. */
export function mediaAction(key: string): MediaAction | undefined {
  if (/^[0-9]$/.test(key)) return { do: 'jump', fraction: Number(key) / 10 };
  switch (key.toLowerCase()) {
    case ' ':
    case 'k':
      return { do: 'toggle' };
    case 'j':
      return { do: 'skip', seconds: -SKIP_SECONDS };
    case 'l':
      return { do: 'skip', seconds: SKIP_SECONDS };
    case 'm':
      return { do: 'mute' };
    case 'f':
      return { do: 'fullscreen' };
    default:
      return undefined;
  }
}
