import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, type Dispatcher, request } from 'undici';
import * as v from 'valibot';
import { ImageError } from '../image-error.js';
import { parseDocument } from '../store/oci-schema.js';
import { certificatesFor } from './certificates.js';
import { parseChallenge } from './challenge.js';
import { type Credentials, findCredentials } from './credentials.js';

export interface RegistryOptions {
  /** Check certificates, and speak TLS at all. Default true; loopback addresses may speak HTTP anyway. */
  readonly tlsVerify?: boolean;
  readonly signal?: AbortSignal;
  /** Instead of those that the configuration files have. */
  readonly credentials?: Credentials;
}

export interface RegistryRequest {
  readonly method?: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer;
  /** Statuses that are answers and not failures, beside 2xx. */
  readonly accept?: readonly number[];
}

export interface RegistryResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Readable;
}

const Token = v.looseObject({ token: v.optional(v.string()), access_token: v.optional(v.string()) });
const Problems = v.looseObject({ errors: v.optional(v.array(v.looseObject({ code: v.optional(v.string()), message: v.optional(v.string()) }))) });

/** Bytes of a token, or of what a registry says is wrong. */
const TOKEN_MAX = 1 << 20;
const ATTEMPTS = 5;
const FIRST_PAUSE = 200;
/** Who asks for more patience than this is told to the user instead. */
const PATIENCE = 60_000;
const MAX_REDIRECTS = 8;
const LOOPBACK = /^(?:localhost|127(?:\.\d+){3}|\[::1\])(?::\d+)?$/;

/** One repository of a registry that speaks the OCI distribution specification. */
export class RegistryClient implements AsyncDisposable {
  readonly domain: string;
  readonly repository: string;
  readonly #options: RegistryOptions;
  readonly #agent: Agent;
  readonly #mayBePlain: boolean;
  #base: string | undefined;
  #authorization: string | undefined;

  /** @param domain `docker.io`, `localhost:5000`, … @param repository `library/busybox` */
  constructor(domain: string, repository: string, options: RegistryOptions = {}) {
    this.domain = domain;
    this.repository = repository;
    this.#options = options;
    this.#mayBePlain = options.tlsVerify === false || LOOPBACK.test(domain);
    this.#agent = new Agent({
      connect: { rejectUnauthorized: options.tlsVerify !== false, timeout: 30_000, ...certificatesFor(domain) } as never,
      headersTimeout: 60_000,
      bodyTimeout: 60_000,
    });
  }

  /**
   * Ask, with credentials where they are wanted, patience where it helps, and redirects followed.
   *
   * @param path below `/v2/REPOSITORY/`, or a whole URL that the registry gave
   * @throws ImageError `REGISTRY_*`
   */
  async ask(path: string, { method = 'GET', headers = {}, body, accept = [] }: RegistryRequest = {}): Promise<RegistryResponse> {
    let authorized = false;
    for (let attempt = 1; ; attempt++) {
      const url = /^https?:/.test(path) ? path : `${await this.#origin()}/v2/${this.repository}/${path}`;
      let response: Dispatcher.ResponseData;
      try {
        response = await this.#follow(url, method, headers, body);
      } catch (error) {
        this.#options.signal?.throwIfAborted();
        if (error instanceof ImageError) throw error;
        // A name that does not exist will not come into being.
        const hopeless =
          ['ENOTFOUND', 'ECONNREFUSED'].includes((error as NodeJS.ErrnoException).code ?? '') ||
          /CERT|SELF_SIGNED|UNABLE_TO/.test((error as NodeJS.ErrnoException).code ?? '');
        if (hopeless || attempt >= ATTEMPTS) throw this.#unreachable(error);
        await this.#pause(FIRST_PAUSE * 2 ** (attempt - 1));
        continue;
      }
      const { statusCode: status } = response;
      if ((status >= 200 && status < 300) || accept.includes(status)) return { status, headers: response.headers, body: response.body };
      if (status === 401 && !authorized) {
        await response.body.dump();
        await this.#authorize(response.headers['www-authenticate'], method === 'GET' || method === 'HEAD' ? 'pull' : 'pull,push');
        authorized = true;
        continue;
      }
      const pause = status === 429 || status >= 500 ? retryAfter(response.headers['retry-after'], attempt) : undefined;
      if (pause !== undefined && attempt < ATTEMPTS && pause <= PATIENCE) {
        await response.body.dump();
        await this.#pause(pause);
        continue;
      }
      throw await this.#refused(status, path, response);
    }
  }

  /**
   * Whether the registry lets us in at all (distribution specification, "Endpoints", end-1).
   *
   * @throws ImageError `REGISTRY_UNAUTHORIZED`, `REGISTRY_UNREACHABLE`
   */
  async checkCredentials(): Promise<void> {
    const { body } = await this.ask(`${await this.#origin()}/v2/`);
    await (body as unknown as { dump(): Promise<void> }).dump();
  }

  /** A place that the registry gave, as a whole URL; undefined before it was asked anything. */
  resolve(location: string): string | undefined {
    return this.#base && URL.canParse(location, this.#base) ? new URL(location, this.#base).href : undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agent.destroy();
  }

  /** `https://HOST`, or `http://HOST` where that is allowed and nothing else answers. */
  async #origin(): Promise<string> {
    if (this.#base) return this.#base;
    const host = this.domain === 'docker.io' ? 'registry-1.docker.io' : this.domain;
    if (!this.#mayBePlain) {
      this.#base = `https://${host}`;
      return this.#base;
    }
    try {
      const response = await this.#request(`https://${host}/v2/`, 'GET', {}, undefined);
      await response.body.dump();
      this.#base = `https://${host}`;
    } catch (error) {
      this.#options.signal?.throwIfAborted();
      const code = String((error as NodeJS.ErrnoException).code ?? '');
      // It answers, but not in TLS; whether it answers at all is for the request to find out.
      if (/CERT|SELF_SIGNED|UNABLE_TO/.test(code)) throw this.#unreachable(error);
      this.#base = `http://${host}`;
    }
    return this.#base;
  }

  #request(url: string, method: string, headers: Readonly<Record<string, string>>, body: Buffer | undefined): Promise<Dispatcher.ResponseData> {
    const { signal } = this.#options;
    return request(url, {
      dispatcher: this.#agent,
      method: method as never,
      headers: { 'user-agent': 'lamella', ...headers },
      ...(body ? { body } : {}),
      ...(signal ? { signal } : {}),
    });
  }

  /** Redirects by hand: credentials must not go to another host. */
  async #follow(url: string, method: string, headers: Readonly<Record<string, string>>, body: Buffer | undefined): Promise<Dispatcher.ResponseData> {
    let at = new URL(url);
    const own = new URL(await this.#origin()).host;
    for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
      const authorization = at.host === own && this.#authorization ? { authorization: this.#authorization } : {};
      const response = await this.#request(at.href, method, { ...headers, ...authorization }, body);
      const { location } = response.headers;
      if (![301, 302, 303, 307, 308].includes(response.statusCode) || typeof location !== 'string') return response;
      await response.body.dump();
      at = new URL(location, at);
      if (at.protocol === 'http:' && !this.#mayBePlain)
        throw new ImageError({
          code: 'REGISTRY_INSECURE',
          message: `${this.domain} leads to ${at.origin}, which is not encrypted`,
          hint: 'If you trust the network: --tls-verify=false.',
        });
    }
    throw new ImageError({
      code: 'REGISTRY_REDIRECTS',
      message: `${url} leads from one place to the next without an end`,
      hint: 'The registry is misconfigured.',
    });
  }

  async #authorize(header: string | string[] | undefined, actions: string): Promise<void> {
    const challenge = parseChallenge(header);
    const credentials = this.#options.credentials ?? (await findCredentials(this.domain, this.repository));
    if (challenge?.scheme === 'basic') {
      if (!credentials || !('username' in credentials)) throw this.#unauthorized('it wants a user and a password');
      this.#authorization = basic(credentials);
      return;
    }
    const { realm, service, scope = this.repository ? `repository:${this.repository}:${actions}` : '' } = challenge?.parameters ?? {};
    if (!realm || !URL.canParse(realm)) throw this.#unauthorized('it does not say how to log in');
    const url = new URL(realm);
    const parameters = new URLSearchParams({ ...(service ? { service } : {}), ...(scope ? { scope } : {}) });
    let response: Dispatcher.ResponseData;
    if (credentials && 'identityToken' in credentials) {
      const form = new URLSearchParams({
        ...Object.fromEntries(parameters),
        grant_type: 'refresh_token',
        client_id: 'lamella',
        refresh_token: credentials.identityToken,
      });
      response = await this.#request(url.href, 'POST', { 'content-type': 'application/x-www-form-urlencoded' }, Buffer.from(form.toString()));
    } else {
      for (const [name, value] of parameters) url.searchParams.set(name, value);
      response = await this.#request(url.href, 'GET', credentials ? { authorization: basic(credentials) } : {}, undefined);
    }
    if (response.statusCode !== 200) {
      await response.body.dump();
      throw this.#unauthorized(credentials ? 'it does not accept these credentials' : 'it wants credentials');
    }
    const { token, access_token } = parseDocument(
      Token,
      await textWithin(response.body, TOKEN_MAX, `the token of ${url.origin}`),
      `the token of ${url.origin}`,
    );
    this.#authorization = `Bearer ${token ?? access_token}`;
  }

  async #pause(milliseconds: number): Promise<void> {
    await sleep(milliseconds, undefined, this.#options.signal ? { signal: this.#options.signal } : {});
  }

  #unauthorized(why: string): ImageError {
    return new ImageError({
      code: 'REGISTRY_UNAUTHORIZED',
      message: `${this.domain} does not let us in${this.repository ? ` at ${this.repository}` : ''}: ${why}`,
      hint: `Log in: lamella login ${this.domain}`,
    });
  }

  #unreachable(error: unknown): ImageError {
    const { code, message } = error as NodeJS.ErrnoException;
    const certificate = /CERT|SELF_SIGNED|UNABLE_TO/.test(code ?? '');
    return new ImageError({
      code: certificate ? 'REGISTRY_CERTIFICATE' : 'REGISTRY_UNREACHABLE',
      message: `${this.domain} cannot be ${certificate ? 'trusted' : 'reached'}: ${code ?? message}`,
      hint: certificate
        ? `Put its certificate into /etc/containers/certs.d/${this.domain}/ca.crt, or, if you trust the network, --tls-verify=false.`
        : 'Check its name, and the network.',
      cause: error,
    });
  }

  async #refused(status: number, path: string, response: Dispatcher.ResponseData): Promise<ImageError> {
    const text = await textWithin(response.body, TOKEN_MAX, 'the answer').catch(() => '');
    const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), Problems), text);
    const said = parsed.success
      ? (parsed.output.errors ?? [])
          .map(({ code, message }) => message || code)
          .filter(Boolean)
          .join('; ')
      : '';
    const what = `${this.domain}/${this.repository}/${path.replace(/\?.*/, '')}`;
    const tell = (code: string, why: string, hint: string): ImageError => new ImageError({ code, message: `${what}: ${why}${said ? ` (${said})` : ''}`, hint });
    if (status === 401 || status === 403) return this.#unauthorized(said || 'access is denied');
    if (status === 404) return tell('REGISTRY_NOT_FOUND', 'there is no such thing', 'Check the name and the tag.');
    if (status === 429) return tell('REGISTRY_RATE_LIMITED', 'too many requests', 'Wait, or log in for a higher limit.');
    return tell(
      'REGISTRY_FAILED',
      `the registry answers ${status}`,
      status >= 500 ? 'It has trouble of its own: try again later.' : 'It does not do what we ask.',
    );
  }
}

/** Reads an answer that is short unless it is made to do damage. @throws ImageError `DOCUMENT_TOO_LARGE` */
async function textWithin(body: AsyncIterable<Buffer>, most: number, what: string): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body) {
    length += chunk.length;
    if (length > most)
      throw new ImageError({
        code: 'DOCUMENT_TOO_LARGE',
        message: `${what} has more than ${most} bytes`,
        hint: 'The registry is broken, or made to do damage.',
      });
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function basic({ username, password }: { readonly username: string; readonly password: string }): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

/** Milliseconds: seconds or a date (RFC 9110, 10.2.3), else twice as long each time. */
function retryAfter(header: string | string[] | undefined, attempt: number): number {
  const text = [header].flat()[0];
  if (text === undefined) return FIRST_PAUSE * 2 ** (attempt - 1);
  const seconds = Number(text);
  if (Number.isFinite(seconds)) return seconds * 1000;
  const date = Date.parse(text);
  return Number.isNaN(date) ? FIRST_PAUSE : Math.max(0, date - Date.now());
}
