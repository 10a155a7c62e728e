import type { ImageErrorCode } from '../model/error-codes.js';
import { ImageError } from '../model/image-error.js';
import { isHost } from '../model/reference.js';
import type { Credentials } from '../model/registry-credentials.js';
import type { RegistryOptions } from '../model/registry-options.js';
import { type Answer, type ReadAnswer, readIfGood } from './answer.js';
import { parseChallenge, schemesOf } from './challenge.js';
import { findCredentials } from './credentials/credentials.js';
import { connectionError, problemsOf, statusError } from './explain-answer.js';
import { type OutgoingRequest, Outlet, type RequestHeaders, type Secret } from './network/outlet.js';
import { isCertificateError, patiently } from './patience.js';
import { basicFor, bearerFor, Denied, fetchToken } from './token.js';

// This module is `@lamella/image/registry-client`, which names the options, too.
export type { RegistryOptions };

export interface RegistryRequest {
  readonly method?: OutgoingRequest['method'];
  readonly headers?: RequestHeaders;
  readonly body?: OutgoingRequest['body'];
  /** Statuses that are answers and not failures, beside 2xx. */
  readonly accept?: readonly number[];
}

export type RegistryResponse = Answer;

/** What a token is to allow. Some registries do not say that one for `pull` is too little, but refuse. */
type Actions = 'pull' | 'pull,push';

/** Where Docker Hub's registry is. */
const DOCKER_HUB = 'registry-1.docker.io';

/** One repository of a registry that speaks the OCI distribution specification. */
export class RegistryClient implements AsyncDisposable {
  readonly domain: string;
  readonly repository: string;
  readonly signal: AbortSignal | undefined;
  readonly #options: RegistryOptions;
  readonly #actions: Actions;
  readonly #host: string;
  readonly #outlet: Outlet;
  readonly #warnings: string[] = [];
  #base: Promise<URL> | undefined;
  #secret: Secret | undefined;
  #authorizing: Promise<Secret> | undefined;
  #credentials: Promise<Credentials | undefined> | undefined;

  /**
   * @param domain `docker.io`, `localhost:5000`, … @param repository `library/busybox`
   * @throws ImageError `REFERENCE_INVALID` for a domain that cannot be in a URL
   */
  constructor(domain: string, repository: string, options: RegistryOptions & { readonly actions?: Actions } = {}) {
    this.domain = domain;
    this.repository = repository;
    this.signal = options.signal;
    this.#options = options;
    this.#actions = options.actions ?? 'pull';
    this.#host = domain === 'docker.io' || domain === 'index.docker.io' ? DOCKER_HUB : domain;
    if (!isHost(this.#host) || !URL.canParse(`https://${this.#host}`))
      throw new ImageError({ code: 'REFERENCE_INVALID', message: `'${domain}' is not the address of a registry`, hint: 'Write HOST[:PORT].' });
    this.#outlet = new Outlet(this.#host, options);
  }

  /**
   * Ask, with credentials where they are wanted, patience where it helps, and redirects followed.
   *
   * @param path below `/v2/REPOSITORY/`, or a whole URL that the registry gave
   * @throws ImageError `REGISTRY_*`
   */
  async ask(path: string, { accept = [], ...request }: RegistryRequest = {}): Promise<Answer> {
    const answer = await this.#explained(path, () => patiently(() => this.try(path, request), this.signal));
    const { status } = answer;
    if ((status >= 200 && status < 300) || accept.includes(status)) return answer;
    throw await this.refusal(answer, path);
  }

  /**
   * Asks for a document, and reads all of it; once more where it breaks off.
   *
   * @param most bytes @param what it is, for messages
   * @throws ImageError `REGISTRY_*`, `DOCUMENT_TOO_LARGE`
   */
  async read(path: string, request: Omit<RegistryRequest, 'accept'>, most: number, what: string): Promise<ReadAnswer & { readonly content: Buffer }> {
    const answer = await this.#explained(path, () => patiently(async () => readIfGood(await this.try(path, request), most, what), this.signal));
    const { content } = answer;
    if (content) return { ...answer, content };
    throw await this.refusal(answer, path);
  }

  /**
   * The same, once: for what may have had an effect although it failed.
   *
   * @returns the answer, whatever its status
   * @throws ImageError `REGISTRY_*`; what the connection throws
   */
  async try(path: string, { method = 'GET', headers = {}, body }: Omit<RegistryRequest, 'accept'> = {}): Promise<Answer> {
    const url = await this.#urlOf(path);
    for (let authorized = false; ; authorized = true) {
      const secret = this.#secret;
      const answer = await this.#outlet.send(url, { method, headers, ...(body ? { body } : {}), secret });
      // Only the registry itself is given credentials: what its storage wants is not known here.
      if (answer.status !== 401 || authorized || answer.url.origin !== (await this.origin()).origin) return answer;
      await answer.body.dump();
      // What is asked at the same time logs in once.
      if (this.#secret !== secret) continue;
      this.#authorizing ??= this.#authorize(answer).finally(() => {
        this.#authorizing = undefined;
      });
      this.#secret = await this.#authorizing;
    }
  }

  /**
   * Whether the registry lets us in at all (distribution specification, "Endpoints", end-1).
   *
   * @throws ImageError `REGISTRY_UNAUTHORIZED`, `REGISTRY_UNREACHABLE`
   */
  async checkCredentials(): Promise<void> {
    const { body } = await this.ask(new URL('/v2/', await this.origin()).href);
    await body.dump();
  }

  /** The error of an answer that is a failure. */
  async refusal(answer: Answer, path: string): Promise<ImageError> {
    const { status } = answer;
    const what = /^https?:/i.test(path) ? new URL(path).origin + new URL(path).pathname : `${this.domain}/${this.repository}/${path.replace(/\?.*/, '')}`;
    const said = await problemsOf(answer);
    const tell = (code: ImageErrorCode, why: string, hint: string): ImageError =>
      new ImageError({ code, message: `${what}: ${why}${said ? ` (${said})` : ''}`, hint });
    const isRegistry = answer.url.origin === (await this.origin()).origin;
    if (isRegistry && (status === 401 || status === 403)) return this.#unauthorized(said || 'access is denied');
    if (status === 401 || status === 403)
      return tell(
        'REGISTRY_FAILED',
        `${answer.url.host}, where ${this.domain} leads, answers ${status}`,
        'No credentials are sent there: the registry, or its storage, is misconfigured.',
      );
    if (status === 404 && !this.repository) return tell('REGISTRY_NOT_FOUND', 'this is not a registry', 'Check its name.');
    if (status === 404) return tell('REGISTRY_NOT_FOUND', 'there is no such thing', 'Check the name and the tag.');
    return statusError(answer, what, said, (await this.#credentials) === undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#outlet[Symbol.asyncDispose]();
  }

  /** `https://HOST`, or `http://HOST` where that is allowed and nothing else answers. */
  origin(): Promise<URL> {
    this.#base ??= this.#findOrigin();
    return this.#base;
  }

  async #findOrigin(): Promise<URL> {
    const secure = new URL(`https://${this.#host}`);
    const plain = new URL(`http://${this.#host}`);
    if (!this.#outlet.mayBePlain(plain)) return secure;
    try {
      const answer = await this.#outlet.send(new URL('/v2/', secure), { method: 'GET' });
      await answer.body.dump();
      return secure;
    } catch (error) {
      this.signal?.throwIfAborted();
      // It answers, but not in TLS; whether it answers at all is for the request to find out.
      if (error instanceof ImageError || isCertificateError(error)) throw connectionError(error, this.domain);
      return plain;
    }
  }

  async #urlOf(path: string): Promise<URL> {
    if (/^[a-z][a-z0-9+.-]*:/i.test(path) && URL.canParse(path)) return new URL(path);
    return new URL(`/v2/${this.repository}/${path}`, await this.origin());
  }

  async #explained<Given extends Answer>(path: string, ask: () => Promise<Given>): Promise<Given> {
    try {
      return await ask();
    } catch (error) {
      this.signal?.throwIfAborted();
      throw this.explain(error, path);
    }
  }

  /** The error of a connection. */
  explain(error: unknown, path: string): unknown {
    const elsewhere = /^https?:/i.test(path) && URL.canParse(path) ? new URL(path).host : undefined;
    return connectionError(error, elsewhere ?? this.domain);
  }

  async #authorize(answer: Answer): Promise<Secret> {
    const { origin } = await this.origin();
    const header = answer.headers['www-authenticate'];
    const challenge = parseChallenge(header);
    this.#credentials ??= this.#options.credentials ? Promise.resolve(this.#options.credentials) : findCredentials(this.domain, this.repository, this.#warn);
    const credentials = await this.#credentials;
    if (credentials && 'registryToken' in credentials) {
      if (/^[\x21-\x7e]+$/.test(credentials.registryToken)) return bearerFor(origin, credentials.registryToken);
      throw this.#unauthorized('the token in the configuration is none');
    }
    if (challenge?.scheme === 'basic') {
      if (!credentials) throw this.#unauthorized('it wants a user and a password');
      if (!('username' in credentials)) throw this.#unauthorized('it wants a user and a password, and there is only a token');
      return basicFor(origin, credentials);
    }
    const { realm, service, scope } = challenge?.parameters ?? {};
    if (!realm || !URL.canParse(realm)) throw this.#unmet(schemesOf(header));
    const asked = scope?.split(' ').filter(Boolean) ?? [];
    const scopes = this.repository
      ? [`repository:${this.repository}:${this.#actions}`, ...asked.filter((each) => !each.startsWith(`repository:${this.repository}:`))]
      : asked;
    try {
      return bearerFor(origin, await fetchToken(this.#outlet, { realm, service, scopes, credentials, signal: this.signal }));
    } catch (error) {
      throw error instanceof Denied ? this.#unauthorized(error.message) : error;
    }
  }

  readonly #warn = (warning: string): void => {
    this.#warnings.push(warning);
    this.#options.onWarning?.(warning);
  };

  #unauthorized(why: string): ImageError {
    const unread = this.#warnings.length ? `; ${this.#warnings.join('; ')}` : '';
    return new ImageError({
      code: 'REGISTRY_UNAUTHORIZED',
      message: `${this.domain} does not let us in${this.repository ? ` at ${this.repository}` : ''}: ${why}${unread}`,
      hint: `Log in: lamella login ${this.domain}`,
    });
  }

  /** A login would not help. */
  #unmet(schemes: readonly string[]): ImageError {
    return new ImageError({
      code: 'REGISTRY_UNAUTHORIZED',
      message: `${this.domain} does not let us in, and ${schemes.length ? `wants ${schemes.join(', ')}, which is not supported` : 'does not say how to log in'}`,
      hint: 'The registry, or a proxy before it, is misconfigured.',
    });
  }
}
