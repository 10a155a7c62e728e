import type { Readable } from 'node:stream';
import { Agent, type Dispatcher, ProxyAgent, request } from 'undici';
import { ImageError } from '../../model/image-error.js';
import type { Answer } from '../answer.js';
import { isLoopback } from './addresses.js';
import { secureContextFor } from './certificates.js';
import { proxyFor } from './proxy.js';

/** What may be sent with a request. Credentials are not among it: only a {@link Secret} has them. */
export type RequestHeaders = Partial<Record<'accept' | 'content-length' | 'content-range' | 'content-type' | 'range', string>>;

export interface OutgoingRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly headers?: RequestHeaders;
  /** A stream is made anew for each attempt and redirect. */
  readonly body?: Buffer | (() => Readable);
  readonly secret?: Secret | undefined;
}

/** Credentials, and the one origin (scheme, host and port) that they are sent to. */
export class Secret {
  readonly origin: string;
  readonly #authorization: string | undefined;
  readonly #form: string | undefined;

  private constructor(origin: string, authorization: string | undefined, form: string | undefined) {
    this.origin = origin;
    this.#authorization = authorization;
    this.#form = form;
  }

  /** @param authorization the value of the header */
  static header(origin: string, authorization: string): Secret {
    return new Secret(origin, authorization, undefined);
  }

  /** The body of a request. */
  static form(origin: string, fields: URLSearchParams): Secret {
    return new Secret(origin, undefined, fields.toString());
  }

  get isForm(): boolean {
    return this.#form !== undefined;
  }

  /** @returns what to add to a request to a place; nothing for any other than its own */
  partsFor(url: URL): { readonly headers: Readonly<Record<string, string>>; readonly body?: Buffer } {
    if (url.origin !== this.origin) return { headers: {} };
    if (this.#form === undefined) return { headers: this.#authorization === undefined ? {} : { authorization: this.#authorization } };
    return { headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: Buffer.from(this.#form) };
  }
}

const MAX_REDIRECTS = 8;
const REDIRECTS = [301, 302, 303, 307, 308];

/**
 * The one way out to a registry, its token server and its storage. Every request goes through {@link send}, which decides
 * for each place that it leads to, also after redirects, whether it may be asked at all and whether credentials are sent
 * there. `scripts/check-outlet.mjs` holds that nothing else in the package makes requests.
 */
export class Outlet implements AsyncDisposable {
  readonly #registry: string;
  readonly #tlsVerify: boolean;
  readonly #signal: AbortSignal | undefined;
  readonly #dispatchers = new Map<string, Dispatcher>();

  /** @param registry `localhost:5000`, `registry-1.docker.io`, … */
  constructor(registry: string, { tlsVerify = true, signal }: { readonly tlsVerify?: boolean | undefined; readonly signal?: AbortSignal | undefined }) {
    this.#registry = registry;
    this.#tlsVerify = tlsVerify;
    this.#signal = signal;
  }

  /**
   * Whether plain HTTP may be spoken to a place: anywhere without checks of certificates, else only on this machine, and
   * only by a registry that is there, too.
   */
  mayBePlain(url: URL): boolean {
    return !this.#tlsVerify || (isLoopback(url) && isLoopback(new URL(`https://${this.#registry}`)));
  }

  /**
   * Sends a request and follows redirects.
   *
   * @throws ImageError `REGISTRY_INSECURE` before anything is sent to a place that may not be asked, `REGISTRY_REDIRECTS`,
   * `REGISTRY_PROXY`, `REGISTRY_CERTIFICATE`; what the connection throws otherwise
   */
  async send(to: URL, { method, headers = {}, body, secret }: OutgoingRequest): Promise<Answer> {
    let at = new URL(to);
    let verb = method;
    for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
      this.#admit(at);
      const parts = secret?.partsFor(at) ?? { headers: {} };
      const sent = verb === method ? (parts.body ?? (typeof body === 'function' ? body() : body)) : undefined;
      const kept = verb === method ? headers : withoutBody(headers);
      const { statusCode, headers: said, body: answered } = await this.#request(at, verb, { ...kept, ...parts.headers }, sent);
      const { location } = said;
      if (!REDIRECTS.includes(statusCode) || typeof location !== 'string' || !location) return { status: statusCode, headers: said, body: answered, url: at };
      await answered.dump();
      if (!URL.canParse(location, at.href)) throw redirects(`${at.origin} leads to a place that is no URL`);
      at = new URL(location, at);
      if (secret?.isForm && at.origin !== secret.origin) throw redirects(`${to.origin} leads to ${at.origin}, and the credentials are for the former only`);
      if (statusCode === 303 && verb !== 'HEAD') verb = 'GET';
    }
    throw redirects(`${to.origin}${to.pathname} leads from one place to the next without an end`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#dispatchers.values()].map((each) => each.destroy()));
  }

  #admit(url: URL): void {
    // What stands before the @ of a URL that a registry gives is nobody's credentials.
    url.username = '';
    url.password = '';
    url.hash = '';
    if (url.protocol === 'https:' || (url.protocol === 'http:' && this.mayBePlain(url))) return;
    throw new ImageError({
      code: 'REGISTRY_INSECURE',
      message: `${this.#registry} leads to ${url.protocol === 'http:' ? url.origin : `a place of the kind ${url.protocol.slice(0, -1)}`}, which is not encrypted`,
      hint: 'Nothing was sent there. The registry is misconfigured; if you trust the network: --tls-verify=false.',
    });
  }

  async #request(
    url: URL,
    method: OutgoingRequest['method'],
    headers: Readonly<Record<string, string>>,
    body: Buffer | Readable | undefined,
  ): Promise<Dispatcher.ResponseData> {
    const proxy = proxyFor(url);
    try {
      return await request(url, {
        dispatcher: this.#dispatcherFor(url, proxy),
        method,
        headers: { 'user-agent': 'lamella', 'accept-encoding': 'identity', ...headers },
        ...(body ? { body } : {}),
        ...(this.#signal ? { signal: this.#signal } : {}),
      });
    } catch (error) {
      this.#signal?.throwIfAborted();
      throw proxy && !(error instanceof ImageError) ? explainProxy(error, proxy) : error;
    }
  }

  #dispatcherFor(url: URL, proxy: URL | undefined): Dispatcher {
    const known = this.#dispatchers.get(url.origin);
    if (known) return known;
    const tls = url.protocol === 'https:' ? { rejectUnauthorized: this.#tlsVerify, secureContext: secureContextFor(url.host, this.#registry) } : {};
    // HTTP/1.1 is what every registry and every proxy speaks, and several layers come by several connections.
    const options = { allowH2: false, headersTimeout: 60_000, bodyTimeout: 60_000 };
    const connect = { ...tls, timeout: 30_000, allowH2: false };
    const made = proxy
      ? new ProxyAgent({
          ...options,
          uri: proxy.href,
          requestTls: connect,
          proxyTls: { ...proxyTls(proxy), timeout: 30_000, allowH2: false },
          connectTimeout: 30_000,
        })
      : new Agent({ ...options, connect });
    this.#dispatchers.set(url.origin, made);
    return made;
  }
}

/** A proxy is not the registry: it is checked as any other server, whatever `--tls-verify` says. */
function proxyTls(proxy: URL): object {
  return proxy.protocol === 'https:' ? { secureContext: secureContextFor(proxy.host, proxy.host) } : {};
}

function withoutBody(headers: RequestHeaders): RequestHeaders {
  const { accept, range } = headers;
  return { ...(accept === undefined ? {} : { accept }), ...(range === undefined ? {} : { range }) };
}

function redirects(message: string): ImageError {
  return new ImageError({ code: 'REGISTRY_REDIRECTS', message, hint: 'The registry is misconfigured.' });
}

/** Returns what an error of a connection through a proxy is; undici has its status in the message only. */
function explainProxy(error: unknown, proxy: URL): unknown {
  const { message } = error as Error;
  const status = /Proxy (?:response|Authentication Required) \((\d+)\)/.exec(message)?.[1];
  const unreached =
    /proxy/i.test(`${(error as Error).name} ${message}`) || ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN'].includes((error as NodeJS.ErrnoException).code ?? '');
  if (!status && !unreached) return error;
  return new ImageError({
    code: 'REGISTRY_PROXY',
    message: status
      ? `the proxy ${proxy.host} answers ${status}`
      : `the proxy ${proxy.host} cannot be reached: ${(error as NodeJS.ErrnoException).code ?? message}`,
    hint:
      status === '407'
        ? 'It wants credentials: http://USER:PASSWORD@HOST:PORT in HTTPS_PROXY or HTTP_PROXY.'
        : 'Check HTTPS_PROXY and HTTP_PROXY, or except the registry by NO_PROXY.',
    cause: error,
  });
}
