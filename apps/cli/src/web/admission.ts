import { randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

const COOKIE = 'lamella';

/**
 * Access control of the review page. The first browser with the one-time token gets a cookie, and only that browser is
 * admitted from then on. Other users of the host can reach a loopback port, and pages of other sites can send requests to it.
 */
export class Admission {
  #token: string | undefined = secret();
  readonly #session = secret();

  /** The token for the address that is printed. */
  get token(): string {
    return this.#token ?? '';
  }

  /** Exchanges the token for the cookie, once. @returns the header that sets the cookie */
  admit(token: string): string | undefined {
    if (this.#token === undefined || !same(token, this.#token)) return undefined;
    this.#token = undefined;
    return `${COOKIE}=${this.#session}; HttpOnly; SameSite=Strict; Path=/`;
  }

  /** Whether a request comes from the admitted browser and, unless it is a GET, from our page. */
  isAdmitted({ headers, method }: IncomingMessage, host: string): boolean {
    // Under another host name a page of another site would have the same origin (DNS rebinding).
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
