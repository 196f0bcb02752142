// The socket on which the machine tells what happens.
import { requestJson } from './client';
import type { EventsToken } from './types';

export const getEventsToken = () => requestJson<EventsToken>('/api/v1/events/token');

/** Opens the socket; `after` is the last event that was received, if any was. */
export function openEvents(token: string, after: number | undefined): WebSocket {
  const url = new URL('/api/v1/events/ws', location.href);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  if (after !== undefined) url.searchParams.set('after', String(after));
  return new WebSocket(url, ['stream-v1', `auth.${token}`]);
}
