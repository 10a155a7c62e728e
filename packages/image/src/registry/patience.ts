import { setTimeout as sleep } from 'node:timers/promises';
import { ImageError } from '../model/image-error.js';
import { type Answer, headerOf } from './answer.js';

const ATTEMPTS = 5;
const FIRST_PAUSE = 200;
/** If a registry asks for a longer wait than this, the user gets an error instead. */
const PATIENCE = 60_000;

/** A connection that failed for a reason that does not go away by itself. */
export function isHopeless(error: unknown): boolean {
  const code = String((error as NodeJS.ErrnoException).code ?? '');
  return error instanceof ImageError || ['ENOTFOUND', 'ECONNREFUSED', 'ERR_INVALID_URL'].includes(code) || isCertificateError(error) || isNoTls(error);
}

export function isCertificateError(error: unknown): boolean {
  return /CERT|SELF_SIGNED|UNABLE_TO/.test(String((error as NodeJS.ErrnoException).code ?? ''));
}

/** What answers does not speak TLS. */
export function isNoTls(error: unknown): boolean {
  return /^(?:ERR_SSL_|EPROTO$)/.test(String((error as NodeJS.ErrnoException).code ?? ''));
}

/** Whether the same request may be answered otherwise a moment later. */
function isPassing(status: number): boolean {
  return status === 429 || (status >= 500 && status !== 501 && status !== 505);
}

/**
 * Asks again where that helps: when the connection breaks, the other side is busy or has a problem.
 *
 * @returns the last answer, whatever its status
 * @throws what the last connection did
 */
export async function patiently<Given extends Answer>(ask: () => Promise<Given>, signal: AbortSignal | undefined): Promise<Given> {
  for (let attempt = 1; ; attempt++) {
    let answer: Given;
    try {
      answer = await ask();
    } catch (error) {
      signal?.throwIfAborted();
      if (isHopeless(error) || attempt >= ATTEMPTS) throw error;
      await pauseBefore(attempt, signal);
      continue;
    }
    if (!mayPass(answer) || attempt >= ATTEMPTS) return answer;
    await answer.body.dump();
    await pauseAfter(answer, attempt, signal);
  }
}

/** Whether asking again may help after an answer or an error. */
export function mayPass(outcome: Answer | Error): boolean {
  return outcome instanceof Error ? !isHopeless(outcome) : isPassing(outcome.status) && (retryAfter(outcome) ?? 0) <= PATIENCE;
}

/** Waits as long as an answer says, else twice as long after each failure. */
export async function pauseAfter(outcome: Answer | Error, failures: number, signal: AbortSignal | undefined): Promise<void> {
  await wait((outcome instanceof Error ? undefined : retryAfter(outcome)) ?? pauseOf(failures), signal);
}

/** Waits twice as long before each attempt. */
export async function pauseBefore(attempt: number, signal: AbortSignal | undefined): Promise<void> {
  await wait(pauseOf(attempt), signal);
}

const pauseOf = (attempt: number): number => FIRST_PAUSE * 2 ** (attempt - 1);

async function wait(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  await sleep(milliseconds, undefined, signal ? { signal } : {});
}

/** Milliseconds: seconds or a date (RFC 9110, 10.2.3). */
export function retryAfter(answer: Pick<Answer, 'headers'>): number | undefined {
  const text = headerOf(answer, 'retry-after')?.trim();
  if (!text) return undefined;
  const seconds = Number(text);
  if (Number.isFinite(seconds)) return Math.max(0, seconds * 1000);
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now());
}
