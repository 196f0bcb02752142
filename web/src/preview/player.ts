// Which player plays a film or piece of music: the browser itself, a live transcode, or none.
// Pure: the browser's and the device's abilities are handed in.

import { endingOf } from './viewer';

export type Player = 'native' | 'transcode' | 'none';

/** What the device found in the file; the fields it could not tell are absent or null. */
export type Media = {
  video_codec?: string | null;
  audio_codec?: string | null;
  can_transcode: boolean;
};

const TYPES: Record<string, string> = {
  mp4: 'video/mp4',
  m4v: 'video/mp4',
  mov: 'video/mp4',
  webm: 'video/webm',
  ogv: 'video/ogg',
  '3gp': 'video/3gpp',
  mkv: 'video/x-matroska',
  mp3: 'audio/mpeg',
  flac: 'audio/flac',
  wav: 'audio/wav',
  ogg: 'audio/ogg',
  oga: 'audio/ogg',
  opus: 'audio/ogg',
  m4a: 'audio/mp4',
  aac: 'audio/aac',
  weba: 'audio/webm',
};

/** ffprobe's names, as RFC 6381 spells a common profile of each. A codec not listed is not asked about. */
const CODECS: Record<string, string> = {
  h264: 'avc1.640028',
  hevc: 'hvc1.1.6.L93.B0',
  av1: 'av01.0.05M.08',
  vp8: 'vp8',
  vp9: 'vp09.00.10.08',
  theora: 'theora',
  aac: 'mp4a.40.2',
  mp3: 'mp3',
  opus: 'opus',
  vorbis: 'vorbis',
  flac: 'flac',
  ac3: 'ac-3',
  eac3: 'ec-3',
};
/** Codecs that no browser decodes, so that asking is needless. */
const NEVER = new Set([
  'mpeg4',
  'msmpeg4v2',
  'msmpeg4v3',
  'mpeg1video',
  'mpeg2video',
  'wmv1',
  'wmv2',
  'wmv3',
  'vc1',
  'flv1',
  'mjpeg',
  'prores',
  'dts',
  'truehd',
  'wmav1',
  'wmav2',
  'wmapro',
  'alac',
]);

/** What can hold one codec only: named with it as well, Chromium would say no. */
const ONE_CODEC = new Set(['audio/flac', 'audio/mpeg']);

type CanPlay = (type: string) => '' | 'maybe' | 'probably';

/** The player for a file of this name. `failed` is true once the browser itself has tried and given up. */
export function choosePlayer(
  name: string,
  kind: 'video' | 'audio',
  media: Media | undefined,
  canPlay: CanPlay,
  failed = false,
): Player {
  if (!failed && browserPlays(name, media, canPlay)) return 'native';
  // A transcode is a film: for sound alone there is none to ask for.
  return kind === 'video' && media?.can_transcode ? 'transcode' : 'none';
}

function browserPlays(name: string, media: Media | undefined, canPlay: CanPlay): boolean {
  const type = TYPES[endingOf(name)];
  if (!type) return false;
  const codecs = [media?.video_codec, media?.audio_codec].filter((codec): codec is string => !!codec);
  if (codecs.some((codec) => NEVER.has(codec))) return false;
  const spelled = codecs.map((codec) => CODECS[codec]).filter((codec) => codec !== undefined);
  const tell = spelled.length > 0 && !ONE_CODEC.has(type);
  return canPlay(tell ? `${type}; codecs="${spelled.join(', ')}"` : type) !== '';
}
