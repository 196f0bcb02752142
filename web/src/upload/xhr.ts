// One request with a body that takes long: over XMLHttpRequest, which tells how much has been sent (fetch does not).
import { ApiFailure } from '../api/client';
import type { ApiError } from '../api/types';
import type { Answer } from './tus';

export interface Sending {
  method: 'POST' | 'PATCH' | 'HEAD' | 'DELETE';
  url: string;
  headers?: Record<string, string>;
  body?: Blob;
  signal: AbortSignal;
  /** How many bytes of the body have left. */
  onsent?: (bytes: number) => void;
}

export interface Sent extends Answer {
  text: string;
}

/** Sends; throws an `UNREACHABLE` failure where nothing came back, and an `AbortError` when it was given up. */
export type Send = (sending: Sending) => Promise<Sent>;

/** A line on which nothing has moved for so long is dead, though nobody has said so. */
const STALLED_MS = 90_000;

export const send: Send = ({ method, url, headers = {}, body, signal, onsent }) =>
  new Promise((resolve, reject) => {
    if (signal.aborted) return reject(aborted());
    const xhr = new XMLHttpRequest();
    let stalled: ReturnType<typeof setTimeout> | undefined;
    const alive = () => {
      clearTimeout(stalled);
      stalled = setTimeout(() => xhr.abort(), STALLED_MS);
    };
    const giveUp = () => xhr.abort();
    signal.addEventListener('abort', giveUp, { once: true });
    xhr.upload.onprogress = ({ loaded }) => {
      alive();
      onsent?.(loaded);
    };
    xhr.onprogress = alive;
    xhr.onload = () => resolve(answerOf(xhr));
    xhr.onerror = () => reject(ApiFailure.unreachable());
    xhr.onabort = () => reject(signal.aborted ? aborted() : ApiFailure.unreachable());
    xhr.onloadend = () => {
      clearTimeout(stalled);
      signal.removeEventListener('abort', giveUp);
    };
    xhr.open(method, url);
    xhr.setRequestHeader('X-Lanthorn', '1');
    for (const [name, value] of Object.entries(headers)) xhr.setRequestHeader(name, value);
    alive();
    xhr.send(body);
  });

const aborted = () => new DOMException('given up', 'AbortError');

function answerOf(xhr: XMLHttpRequest): Sent {
  const text = xhr.responseText;
  return {
    status: xhr.status,
    header: (name) => xhr.getResponseHeader(name),
    text,
    error: xhr.status >= 400 ? errorIn(text) : undefined,
  };
}

function errorIn(text: string): ApiError | undefined {
  try {
    const body = JSON.parse(text) as Partial<ApiError>;
    return body.code ? { message: '', hint: '', request_id: '', ...body, code: body.code } : undefined;
  } catch {
    return undefined;
  }
}
