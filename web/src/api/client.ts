// One way to ask the machine for something: JSON in, JSON out, every failure an ApiFailure.
// Knows nothing of pages; whoever cares that a session ended listens with onSignedOut.
import type { ApiError, Conflict, LocalCode } from './types';

/** Why a request was refused or did not arrive, with what to do next. */
export class ApiFailure extends Error {
  readonly code: string;
  readonly hint: string;
  readonly requestId: string;
  readonly retryAfter: number | undefined;
  /** What is at the place now, where a change was made to something else. */
  readonly conflict: Conflict | undefined;
  readonly status: number;

  constructor(error: ApiError, status: number) {
    super(error.message);
    this.name = 'ApiFailure';
    this.code = error.code;
    this.hint = error.hint;
    this.requestId = error.request_id;
    this.retryAfter = error.retry_after ?? undefined;
    this.conflict = error.conflict ?? undefined;
    this.status = status;
  }

  /** A request that never reached the machine, or whose answer broke off. */
  static unreachable(): ApiFailure {
    return ApiFailure.local(UNREACHABLE);
  }

  /** A failure on this side, of which the machine knows nothing. */
  static local(code: LocalCode): ApiFailure {
    return new ApiFailure({ code, message: '', hint: '', request_id: '' }, 0);
  }
}

/** The code of a request that never reached the machine. Its words are the page's own: see text/. */
export const UNREACHABLE = 'UNREACHABLE';
/** The code of a file of the visitor's that cannot be read any more. */
export const FILE_GONE = 'FILE_GONE';

type Query = Record<string, string | number | boolean | undefined | null>;

export interface Ask {
  method?: 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE';
  query?: Query;
  /** Sent as JSON. */
  body?: unknown;
  /** Sent as it is. */
  content?: Blob | Uint8Array<ArrayBuffer>;
  headers?: Record<string, string>;
  signal?: AbortSignal;
  cache?: RequestCache;
}

/** Says that the machine knows nobody any more, for requests that do not go through here. */
export const tellSignedOut = (failure: ApiFailure) => signedOut(failure);

let signedOut: (failure: ApiFailure) => void = () => undefined;

/** Names who is told when the machine says that nobody is signed in any more. */
export function onSignedOut(listener: (failure: ApiFailure) => void): void {
  signedOut = listener;
}

/** The address of a resource with its query; what is undefined, null or empty is left out. */
export function address(path: string, query: Query = {}): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== '') params.set(name, String(value));
  }
  const text = params.toString();
  return text ? `${path}?${text}` : path;
}

/** Asks, and hands back the raw answer if it is a success. */
export async function request(path: string, ask: Ask = {}): Promise<Response> {
  const response = await send(path, ask);
  if (response.ok) return response;
  const failure = await readFailure(response);
  if (failure.code === 'NOT_SIGNED_IN') signedOut(failure);
  throw failure;
}

/** Asks for JSON; an answer without content is `undefined`. */
export async function requestJson<T>(path: string, ask: Ask = {}): Promise<T> {
  const response = await request(path, ask);
  const text = await response.text();
  return (text ? JSON.parse(text) : undefined) as T;
}

async function send(path: string, ask: Ask): Promise<Response> {
  const method = ask.method ?? 'GET';
  const headers: Record<string, string> = { Accept: 'application/json', ...ask.headers };
  if (method !== 'GET') headers['X-Lanthorn'] = '1';
  if (ask.body !== undefined) headers['Content-Type'] = 'application/json';
  try {
    return await fetch(address(path, ask.query), {
      method,
      headers,
      body: ask.body === undefined ? ask.content : JSON.stringify(ask.body),
      signal: ask.signal,
      cache: ask.cache,
      credentials: 'same-origin',
    });
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw ApiFailure.unreachable();
  }
}

async function readFailure(response: Response): Promise<ApiFailure> {
  const body = (await response.json().catch(() => null)) as Partial<ApiError> | null;
  return new ApiFailure(
    {
      code: body?.code ?? `HTTP_${response.status}`,
      message: body?.message ?? '',
      hint: body?.hint ?? '',
      request_id: body?.request_id ?? response.headers.get('x-request-id') ?? '',
      retry_after: body?.retry_after ?? (Number(response.headers.get('retry-after')) || undefined),
      conflict: body?.conflict,
    },
    response.status,
  );
}

/** True for a request that was given up on purpose. */
export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'AbortError';
}
