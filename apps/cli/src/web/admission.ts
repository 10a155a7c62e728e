import { randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

const COOKIE = 'lamella';

/**
 * Who may look: whoever comes with the one-time token first, and from then on the browser that got the cookie for it.
 * Other users of the machine reach a loopback port, too, and pages of others can make a browser ask it.
 */
export class Admission {
  #token: string | undefined = secret();
  readonly #session = secret();

  /** The token, for the address that is printed. */
  get token(): string {
    return this.#token ?? '';
  }

  /** Exchange the token for the cookie, once. @returns the header that sets it */
  admit(token: string): string | undefined {
    if (this.#token === undefined || !same(token, this.#token)) return undefined;
    this.#token = undefined;
    return `${COOKIE}=${this.#session}; HttpOnly; SameSite=Strict; Path=/`;
  }

  /** Whether a request is of the browser that was admitted, and, when it wants something done, of our own page. */
  isAdmitted({ headers, method }: IncomingMessage, host: string): boolean {
    // By another name somebody else's page would be of the same origin (DNS rebinding).
    if (headers.host !== host) return false;
    if (method !== 'GET' && headers.origin !== `http://${host}`) return false;
    const cookies = (headers.cookie ?? '').split(/;\s*/);
    return cookies.some((each) => each.startsWith(`${COOKIE}=`) && same(each.slice(COOKIE.length + 1), this.#session));
  }
}

function secret(): string {
  return randomBytes(24).toString('base64url');
}

function same(is: string, wanted: string): boolean {
  const [a, b] = [Buffer.from(is), Buffer.from(wanted)];
  return a.length === b.length && timingSafeEqual(a, b);
}
