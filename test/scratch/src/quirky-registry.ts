import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';

/** A request as it came. */
export interface SeenRequest {
  readonly method: string;
  /** `https://registry.example/v2/…`, whatever it came through. */
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  /** Its body, once it is read. */
  body?: Buffer;
}

/** An answer before it is sent. */
export interface QuirkyAnswer {
  status: number;
  headers: Record<string, string>;
  body: Buffer;
}

/** What a quirk has to do with. */
export interface Exchange {
  readonly seen: SeenRequest;
  readonly url: URL;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly registry: QuirkyRegistry;
  /** How many requests with this method and path came before. */
  readonly times: number;
}

/** Something that a registry does otherwise. */
export interface Quirk {
  /** Before the body is read. @returns true when it has answered */
  readonly before?: (exchange: Exchange) => boolean | Promise<boolean>;
  /** Changes what is answered. @returns true when it has answered itself */
  readonly answer?: (answer: QuirkyAnswer, exchange: Exchange) => boolean | undefined;
}

const sha256 = (content: Uint8Array): string => `sha256:${createHash('sha256').update(content).digest('hex')}`;
const EMPTY = Buffer.alloc(0);

/** A registry in memory that follows the distribution specification, except for its quirks. */
export class QuirkyRegistry {
  /** `registry.example` */
  readonly host: string;
  readonly blobs: Map<string, Buffer> = new Map();
  readonly manifests: Map<string, { readonly type: string; readonly content: Buffer }> = new Map();
  readonly uploads: Map<string, Buffer> = new Map();
  readonly seen: SeenRequest[] = [];
  readonly auth: 'none' | 'basic' | 'bearer';
  readonly quirk: Quirk;
  #uploads = 0;

  constructor(host: string, { auth = 'none', quirk = {} }: { readonly auth?: 'none' | 'basic' | 'bearer'; readonly quirk?: Quirk } = {}) {
    this.host = host;
    this.auth = auth;
    this.quirk = quirk;
  }

  put(content: Buffer): string {
    this.blobs.set(sha256(content), content);
    return sha256(content);
  }

  /** Answers a request that came for one of the registry's names. */
  async handle(request: IncomingMessage, response: ServerResponse, origin: string): Promise<void> {
    const url = new URL(request.url ?? '/', origin);
    const seen: SeenRequest = { method: request.method ?? 'GET', url: url.href, headers: request.headers };
    const times = this.seen.filter((each) => each.method === seen.method && new URL(each.url).pathname === url.pathname).length;
    this.seen.push(seen);
    const exchange: Exchange = { seen, url, request, response, registry: this, times };
    try {
      if (await this.quirk.before?.(exchange)) return;
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      seen.body = Buffer.concat(chunks);
      const answer = this.#answer(exchange, seen.body);
      if (this.quirk.answer?.(answer, exchange)) return;
      send(response, answer, seen.method);
    } catch {
      // The client has hung up.
      response.destroy();
    }
  }

  #answer({ seen: { method, headers }, url, registry }: Exchange, body: Buffer): QuirkyAnswer {
    const path = url.pathname;
    if (path === '/token') return this.#token(headers.authorization);
    const wants = this.#challenge(headers.authorization);
    if (wants) return { status: 401, headers: { 'www-authenticate': wants, 'content-type': 'application/json' }, body: problem('UNAUTHORIZED') };
    if (path === '/v2/') return json(200, {});
    const manifest = /\/manifests\/(.*)$/.exec(path)?.[1];
    if (manifest !== undefined) return method === 'PUT' ? this.#putManifest(manifest, headers['content-type'] ?? '', body) : this.#getManifest(manifest);
    const blob = /\/blobs\/(sha256:.*)$/.exec(path)?.[1];
    if (blob !== undefined) return getBlob(registry.blobs.get(blob), blob, headers.range);
    if (/\/blobs\/uploads\/$/.test(path)) return this.#begin(url);
    const upload = /\/blobs\/uploads\/([^/]+)$/.exec(path)?.[1];
    return upload === undefined ? { status: 404, headers: {}, body: EMPTY } : this.#upload(upload, method, url, headers['content-range'], body);
  }

  #challenge(authorization: string | undefined): string | undefined {
    if (this.auth === 'basic' && authorization !== basic('somebody', 'secret')) return 'Basic realm="quirky"';
    if (this.auth === 'bearer' && !/^Bearer (?:for-somebody|for-nobody)$/.test(authorization ?? ''))
      return `Bearer realm="https://${this.host}/token",service="quirky"`;
    return undefined;
  }

  #token(authorization: string | undefined): QuirkyAnswer {
    if (authorization === undefined) return json(200, { token: 'for-nobody' });
    return authorization === basic('somebody', 'secret') ? json(200, { token: 'for-somebody' }) : json(401, { details: 'incorrect username or password' });
  }

  #getManifest(name: string): QuirkyAnswer {
    const found = this.manifests.get(name);
    if (!found) return { status: 404, headers: {}, body: problem('MANIFEST_UNKNOWN') };
    return { status: 200, headers: { 'content-type': found.type, 'docker-content-digest': sha256(found.content) }, body: found.content };
  }

  #putManifest(name: string, type: string, content: Buffer): QuirkyAnswer {
    for (const { digest } of blobsOf(content)) if (!this.blobs.has(digest)) return { status: 400, headers: {}, body: problem('MANIFEST_BLOB_UNKNOWN') };
    for (const each of [name, sha256(content)]) this.manifests.set(each, { type, content });
    return { status: 201, headers: { location: `/v2/app/manifests/${sha256(content)}`, 'docker-content-digest': sha256(content) }, body: EMPTY };
  }

  #begin(url: URL): QuirkyAnswer {
    const mounted = url.searchParams.get('mount');
    if (mounted && this.blobs.has(mounted)) return { status: 201, headers: { 'docker-content-digest': mounted }, body: EMPTY };
    const id = `upload-${this.#uploads++}`;
    this.uploads.set(id, EMPTY);
    return this.#state(202, id);
  }

  #state(status: number, id: string): QuirkyAnswer {
    const length = this.uploads.get(id)?.length ?? 0;
    // The state is the registry's own: it wants it back to the byte.
    return { status, headers: { location: `/v2/app/blobs/uploads/${id}?_state=a%2Bb%20c~`, range: `0-${Math.max(0, length - 1)}` }, body: EMPTY };
  }

  #upload(id: string, method: string, url: URL, range: string | undefined, body: Buffer): QuirkyAnswer {
    const had = this.uploads.get(id);
    if (!had || !url.search.startsWith('?_state=a%2Bb%20c~')) return { status: 404, headers: {}, body: problem('BLOB_UPLOAD_UNKNOWN') };
    if (method === 'GET') return this.#state(204, id);
    if (range !== undefined && Number(range.split('-')[0]) !== had.length) return this.#state(416, id);
    const content = Buffer.concat([had, body]);
    this.uploads.set(id, content);
    if (method === 'PATCH') return this.#state(202, id);
    const digest = url.searchParams.get('digest') ?? '';
    if (sha256(content) !== digest) return { status: 400, headers: {}, body: problem('DIGEST_INVALID') };
    this.blobs.set(digest, content);
    this.uploads.delete(id);
    return { status: 201, headers: { location: `/v2/app/blobs/${digest}` }, body: EMPTY };
  }
}

export function basic(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

function send(response: ServerResponse, { status, headers, body }: QuirkyAnswer, method: string): void {
  const length = headers['transfer-encoding'] ? {} : { 'content-length': String(body.length) };
  response.writeHead(status, { ...(status === 204 ? {} : length), ...headers });
  response.end(method === 'HEAD' ? undefined : body);
}

function json(status: number, document: unknown): QuirkyAnswer {
  return { status, headers: { 'content-type': 'application/json' }, body: Buffer.from(JSON.stringify(document)) };
}

function problem(code: string): Buffer {
  return Buffer.from(JSON.stringify({ errors: [{ code, message: code.toLowerCase().replaceAll('_', ' '), detail: null }] }));
}

function getBlob(content: Buffer | undefined, digest: string, range: string | undefined): QuirkyAnswer {
  if (!content) return { status: 404, headers: {}, body: problem('BLOB_UNKNOWN') };
  const headers = { 'content-type': 'application/octet-stream', 'docker-content-digest': digest };
  const begin = /^bytes=(\d+)-$/.exec(range ?? '')?.[1];
  if (begin === undefined) return { status: 200, headers, body: content };
  if (Number(begin) >= content.length) return { status: 416, headers: { 'content-range': `bytes */${content.length}` }, body: EMPTY };
  return {
    status: 206,
    headers: { ...headers, 'content-range': `bytes ${begin}-${content.length - 1}/${content.length}` },
    body: content.subarray(Number(begin)),
  };
}

function blobsOf(manifest: Buffer): readonly { digest: string }[] {
  const { config, layers = [] } = JSON.parse(manifest.toString('utf8')) as { config?: { digest: string }; layers?: { digest: string }[] };
  return [...(config ? [config] : []), ...layers];
}
