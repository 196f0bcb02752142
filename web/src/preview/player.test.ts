import { describe, expect, it } from 'vitest';
import { choosePlayer, type Media } from './player';

/** A browser that plays H.264, VP9, AAC and Opus in MP4 and WebM, MP3 alone, and nothing else: Chromium, roughly. */
const browser = (type: string) => {
  const [container, codecs] = type.split('; codecs=');
  if (!['video/mp4', 'video/webm', 'audio/mpeg', 'audio/flac', 'audio/ogg'].includes(container ?? ''))
    return '';
  const plays = /^"?((avc1|vp09|mp4a|opus|mp3)[\w.]*(, )?)*"?$/;
  return !codecs ? 'maybe' : plays.test(codecs) ? 'probably' : '';
};
const media = (video_codec?: string, audio_codec?: string, can_transcode = true): Media => ({
  video_codec,
  audio_codec,
  can_transcode,
});

describe('choosePlayer', () => {
  it.each([
    ['a.mp4', 'video', media('h264', 'aac'), 'native'],
    ['a.mp4', 'video', undefined, 'native'],
    ['a.mov', 'video', media('h264', 'aac'), 'native'],
    ['a.mov', 'video', media('prores', 'pcm_s16le'), 'transcode'],
    ['a.mp4', 'video', media('hevc', 'aac'), 'transcode'],
    ['a.mp4', 'video', media('hevc', 'aac', false), 'none'],
    ['a.webm', 'video', media('vp9', 'opus'), 'native'],
    ['a.mkv', 'video', media('h264', 'aac'), 'transcode'],
    ['a.avi', 'video', media('mpeg4', 'mp3'), 'transcode'],
    ['a.avi', 'video', undefined, 'none'],
    ['a.mp3', 'audio', media(undefined, 'mp3'), 'native'],
    ['a.flac', 'audio', media(undefined, 'flac'), 'native'],
    ['a.wma', 'audio', media(undefined, 'wmav2'), 'none'],
  ] as const)('%s as %s with %o → %s', (name, kind, inside, player) => {
    expect(choosePlayer(name, kind, inside, browser)).toBe(player);
  });
  it('falls back once the browser has given up', () => {
    expect(choosePlayer('a.mp4', 'video', media('h264', 'aac'), browser, true)).toBe('transcode');
    expect(choosePlayer('a.mp4', 'video', media('h264', 'aac', false), browser, true)).toBe('none');
    expect(choosePlayer('a.mp3', 'audio', media(undefined, 'mp3'), browser, true)).toBe('none');
  });
});
