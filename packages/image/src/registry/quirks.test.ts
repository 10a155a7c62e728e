import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import {
  type Exchange,
  findProgram,
  type Quirk,
  type QuirkyAnswer,
  type QuirkyNetwork,
  QuirkyRegistry,
  quirkyNetwork,
  type ScratchDirectory,
  scratch,
  skip,
} from '@lamella-test/scratch';
import { ociLayout } from '@lamella-test/tree';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseReference } from '../model/reference.js';
import type { Credentials } from '../model/registry-credentials.js';
import { hostPlatform } from '../source/choose-platform.js';
import { readIndex } from '../store/store-index.js';
import { StorePaths } from '../store/store-paths.js';
import { registryImage } from './pull.js';
import { pushImage } from './push.js';
import { RegistryClient } from './registry-client.js';

/** Every quirk with every command: what it leads to, and that nobody ever sees credentials who is not to. */

const SOMEBODY = { username: 'somebody', password: 'secret' } as const;
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
/** Noise, in several pieces of a socket. */
const LAYER = randomBytes(400_000);

type Command = 'pull' | 'push' | 'login';
/** `ok`, or the code of the error, with what its message and hint say. */
type Outcome = 'ok' | string | readonly [code: string, says: RegExp];

interface Case {
  readonly name: string;
  readonly quirk: Quirk;
  readonly auth?: 'none' | 'basic' | 'bearer';
  readonly credentials?: Credentials | 'none';
  readonly tlsVerify?: boolean;
  readonly expected: Partial<Record<Command, Outcome>>;
  /** Hosts besides its own that may be given credentials. */
  readonly trusts?: readonly string[];
  /** More of what is to be true at the end. */
  readonly check?: (registry: QuirkyRegistry, command: Command, elsewhere: QuirkyRegistry) => void;
}

const isPatch = ({ seen }: Exchange): boolean => seen.method === 'PATCH';
const isUploadStart = ({ seen, url }: Exchange): boolean => seen.method === 'POST' && url.pathname.endsWith('/uploads/');
const isBlob = ({ seen, url }: Exchange): boolean => seen.method === 'GET' && /\/blobs\/sha256:/.test(url.pathname);
const isBigBlob = (exchange: Exchange, body: Buffer): boolean => isBlob(exchange) && body.length > 100_000;
const isManifest = ({ seen, url }: Exchange): boolean => seen.method === 'GET' && url.pathname.includes('/manifests/');
const isToken = ({ url }: Exchange): boolean => url.pathname === '/token';
const all = (outcome: Outcome): Case['expected'] => ({ pull: outcome, push: outcome, login: outcome });
const COMMANDS: readonly Command[] = ['pull', 'push', 'login'];
const LOG_IN = /Log in: lamella login/;

/** A token server that answers so. */
const token = (name: string, status: number, body: string | Buffer, expected: Outcome, headers: Record<string, string> = {}): Case => ({
  name: `a token server that answers ${name}`,
  auth: 'bearer',
  quirk: {
    answer: (answer, exchange) =>
      void (isToken(exchange) && Object.assign(answer, { status, body: Buffer.from(body), headers: { 'retry-after': '0', ...headers } })),
  },
  expected: all(expected),
});

/** Does to the first answer of a kind, and to no other. */
const once = (fits: (exchange: Exchange) => boolean, act: NonNullable<Quirk['answer']>): Quirk => ({
  answer: (answer, exchange) => (fits(exchange) && exchange.times === 0 ? act(answer, exchange) : undefined),
});

const had = new Map<string, WeakSet<QuirkyRegistry>>();

/** Whether a registry is asked so for the first time. */
function isFirst(what: string, { registry }: Exchange): boolean {
  const known = had.get(what) ?? new WeakSet();
  had.set(what, known);
  if (known.has(registry)) return false;
  known.add(registry);
  return true;
}

const uploadOf = ({ url }: Exchange): string => url.pathname.split('/').at(-1) ?? '';
const isBigPatch = (exchange: Exchange): boolean => isPatch(exchange) && Number(exchange.seen.headers['content-length']) > 300_000;

/** Reads so many bytes of a request, keeps them if it is an upload, and hangs up. */
async function cut({ request, response, url, registry }: Exchange, bytes: number, keep: boolean): Promise<true> {
  let got = Buffer.alloc(0);
  for await (const chunk of request) {
    got = Buffer.concat([got, chunk as Buffer]);
    if (got.length >= bytes) break;
  }
  const id = url.pathname.split('/').at(-1) ?? '';
  if (keep) registry.uploads.set(id, Buffer.concat([registry.uploads.get(id) ?? Buffer.alloc(0), got.subarray(0, bytes)]));
  response.destroy();
  return true;
}

function busy({ request, response }: Exchange): true {
  request.resume();
  response.writeHead(503, { 'retry-after': '0' }).end();
  return true;
}

function noPieces(answer: QuirkyAnswer, { registry, url }: Exchange, status: number): void {
  registry.uploads.delete(url.pathname.split('/').at(-1) ?? '');
  Object.assign(answer, { status, headers: {}, body: Buffer.from('no') });
}

const CASES: readonly Case[] = [
  // Nothing special, by each way to log in.
  ...(['none', 'basic', 'bearer'] as const).map(
    (auth): Case => ({
      name: `auth ${auth}`,
      auth,
      quirk: {},
      expected: all('ok'),
      check: ({ seen }, command) => {
        const scopes = seen.filter(({ url }) => url.includes('/token')).map(({ url }) => new URL(url).searchParams.getAll('scope').join(' '));
        // A push asks for the scopes of all its requests at once.
        expect(scopes.length).toBe(auth === 'bearer' ? 1 : 0);
        if (auth === 'bearer') expect(scopes[0]).toBe({ pull: 'repository:app:pull', push: 'repository:app:pull,push', login: '' }[command]);
      },
    }),
  ),
  {
    name: 'a user that is unknown',
    auth: 'bearer',
    credentials: { username: 'x', password: 'y' },
    quirk: {},
    expected: all(['REGISTRY_UNAUTHORIZED', LOG_IN]),
  },
  {
    name: 'a password that is wrong',
    auth: 'basic',
    credentials: { username: 'somebody', password: 'y' },
    quirk: {},
    expected: all(['REGISTRY_UNAUTHORIZED', LOG_IN]),
  },
  { name: 'nobody, where anybody may pull', auth: 'bearer', credentials: 'none', quirk: {}, expected: { pull: 'ok' } },
  { name: 'a token of the registry', auth: 'bearer', credentials: { registryToken: 'for-somebody' }, quirk: {}, expected: all('ok') },

  // Where a registry leads, in clear.
  {
    name: 'an upload that goes on in clear',
    auth: 'basic',
    quirk: {
      answer: (answer, exchange) => void (isUploadStart(exchange) && (answer.headers.location = `http://${exchange.registry.host}${answer.headers.location}`)),
    },
    expected: { push: ['REGISTRY_INSECURE', /http:\/\/quirky.*--tls-verify=false/] },
  },
  {
    name: 'an upload whose second piece goes in clear',
    auth: 'basic',
    quirk: {
      answer: (answer, exchange) => void (isPatch(exchange) && (answer.headers.location = `http://${exchange.registry.host}${answer.headers.location}`)),
    },
    expected: { push: 'REGISTRY_INSECURE' },
  },
  {
    name: 'an upload in clear, elsewhere',
    auth: 'bearer',
    quirk: { answer: (answer, exchange) => void (isUploadStart(exchange) && (answer.headers.location = 'http://elsewhere.example/upload')) },
    expected: { push: 'REGISTRY_INSECURE' },
  },
  ...(['HTTP://quirky.example/token', 'http://elsewhere.example/token'] as const).map(
    (realm): Case => ({
      name: `a realm in clear: ${realm}`,
      auth: 'bearer',
      quirk: { answer: (answer) => void (answer.status === 401 && (answer.headers['www-authenticate'] = `Bearer realm="${realm}"`)) },
      expected: all('REGISTRY_INSECURE'),
    }),
  ),
  {
    name: 'a realm in clear, for an identity token',
    auth: 'bearer',
    credentials: { identityToken: 'secret' },
    quirk: { answer: (answer) => void (answer.status === 401 && (answer.headers['www-authenticate'] = 'Bearer realm="http://elsewhere.example/token"')) },
    expected: all('REGISTRY_INSECURE'),
  },
  ...['ftp://elsewhere.example/x', 'file:///etc/passwd', 'http://elsewhere.example/x', 'http://127.0.0.1:1/x', 'http://localhost:1/x'].map(
    (location): Case => ({
      name: `a redirect to ${location}`,
      auth: 'basic',
      quirk: { answer: (answer, { seen }) => void (seen.headers.authorization && Object.assign(answer, { status: 307, headers: { location } })) },
      expected: all('REGISTRY_INSECURE'),
    }),
  ),
  {
    name: 'a token server that leads on in clear',
    auth: 'bearer',
    quirk: {
      answer: (answer, exchange) => void (isToken(exchange) && Object.assign(answer, { status: 307, headers: { location: 'http://elsewhere.example/token' } })),
    },
    expected: all('REGISTRY_INSECURE'),
  },
  { name: 'an origin in clear, unchecked', auth: 'basic', tlsVerify: false, quirk: {}, expected: all('ok') },

  // Where it leads: to another server.
  {
    name: 'storage elsewhere',
    auth: 'bearer',
    quirk: {
      answer: (answer, exchange) =>
        void (isBlob(exchange) && Object.assign(answer, { status: 307, headers: { location: `https://elsewhere.example${exchange.url.pathname}` } })),
    },
    expected: { pull: 'ok' },
    check: (_, __, elsewhere) => expect(elsewhere.seen.length).toBeGreaterThan(1),
  },
  {
    name: 'storage elsewhere that refuses',
    auth: 'bearer',
    quirk: {
      answer: (answer, exchange) =>
        void (isBlob(exchange) && Object.assign(answer, { status: 307, headers: { location: 'https://elsewhere.example/forbidden' } })),
    },
    expected: { pull: ['REGISTRY_FAILED', /^(?!.*lamella login).*elsewhere.*403/s] },
  },
  {
    name: 'storage elsewhere that wants credentials',
    auth: 'basic',
    quirk: {
      answer: (answer, exchange) =>
        void (isBlob(exchange) && Object.assign(answer, { status: 302, headers: { location: 'https://elsewhere.example/unauthorized' } })),
    },
    expected: { pull: ['REGISTRY_FAILED', /elsewhere/] },
  },
  {
    name: 'the same host by another port',
    auth: 'basic',
    quirk: {
      answer: (answer, exchange) =>
        void (isBlob(exchange) && Object.assign(answer, { status: 307, headers: { location: 'https://elsewhere.example:8443/unauthorized' } })),
    },
    expected: { pull: ['REGISTRY_FAILED', /elsewhere.*:8443/] },
  },
  {
    name: 'an upload elsewhere',
    auth: 'bearer',
    quirk: {
      answer: (answer, exchange) => void (isUploadStart(exchange) && (answer.headers.location = 'https://elsewhere.example/unauthorized')),
    },
    expected: { push: ['REGISTRY_FAILED', /elsewhere.*401/] },
  },
  {
    name: 'credentials in a redirect',
    auth: 'basic',
    quirk: {
      answer: (answer, exchange) =>
        void (isBlob(exchange) && Object.assign(answer, { status: 307, headers: { location: `https://u:p@elsewhere.example${exchange.url.pathname}` } })),
    },
    expected: { pull: 'ok' },
  },
  {
    name: 'a token server elsewhere',
    auth: 'bearer',
    quirk: {
      answer: (answer) =>
        void (answer.status === 401 && (answer.headers['www-authenticate'] = 'Bearer realm="https://elsewhere.example/token?given=1",service="a b"')),
    },
    expected: all('ok'),
    trusts: ['elsewhere.example'],
    check: (_, __, elsewhere) => expect(elsewhere.seen[0]?.url).toMatch(/\/token\?given=1&service=a/),
  },
  {
    name: 'a token server that leads to another',
    auth: 'bearer',
    quirk: {
      answer: (answer, exchange) =>
        void (isToken(exchange) && Object.assign(answer, { status: 307, headers: { location: 'https://elsewhere.example/token' } })),
    },
    // Without credentials that one has a token for nobody.
    expected: all('ok'),
  },
  {
    name: 'a token server that leads to another, with an identity token',
    auth: 'bearer',
    credentials: { identityToken: 'secret' },
    quirk: {
      answer: (answer, exchange) =>
        void (isToken(exchange) && Object.assign(answer, { status: 307, headers: { location: 'https://elsewhere.example/token' } })),
    },
    expected: all('REGISTRY_REDIRECTS'),
  },
  {
    name: 'redirects on the same host',
    auth: 'basic',
    quirk: {
      answer: (answer, { url }) =>
        void (
          !url.searchParams.has('hop') &&
          Object.assign(answer, { status: 308, headers: { location: `${url.pathname}${url.search}${url.search ? '&' : '?'}hop=1` } })
        ),
    },
    expected: { pull: 'ok', login: 'ok' },
  },
  {
    name: 'redirects without an end',
    quirk: { answer: (answer, { url }) => void Object.assign(answer, { status: 307, headers: { location: url.pathname } }) },
    expected: all('REGISTRY_REDIRECTS'),
  },
  {
    name: 'a redirect to no URL',
    quirk: { answer: (answer) => void Object.assign(answer, { status: 307, headers: { location: 'http://[' } }) },
    expected: all('REGISTRY_REDIRECTS'),
  },
  {
    name: 'a redirect without a place',
    quirk: { answer: (answer) => void Object.assign(answer, { status: 307, headers: {} }) },
    expected: all('REGISTRY_FAILED'),
  },

  // Token servers.
  token('401', 401, '{"details":"no"}', ['REGISTRY_UNAUTHORIZED', LOG_IN]),
  token('403', 403, '', ['REGISTRY_UNAUTHORIZED', LOG_IN]),
  token('429', 429, '{"errors":[{"code":"TOOMANYREQUESTS"}]}', ['REGISTRY_RATE_LIMITED', /^(?!.*Log in:).*token server.*TOOMANYREQUESTS/s]),
  token('429 for an hour', 429, '', ['REGISTRY_RATE_LIMITED', /Wait 3600 s/], { 'retry-after': '3600' }),
  token('503', 503, '', ['REGISTRY_FAILED', /^(?!.*lamella login).*token server.*503.*later/s]),
  token('500 with HTML', 500, '<html>', ['REGISTRY_FAILED', /^(?!.*lamella login).*500/s]),
  token('404', 404, '', ['REGISTRY_FAILED', /token server.*404/s]),
  token('307 without a place', 307, '', ['REGISTRY_FAILED', /token server.*307/s]),
  ...['{"token":""}', '{"token":null}', '{}', 'null', '[]', '{"token":7}', '<html></html>', '', '{"token":"a\\nb"}', '{"token":"é"}'].map((body) =>
    token(body || 'nothing', 200, body, ['REGISTRY_FAILED', /^(?!.*lamella login).*token server.*gives no token/s]),
  ),
  token('an access_token', 200, '{"access_token":"for-somebody"}', 'ok'),
  token('an empty token and an access_token', 200, '{"token":"","access_token":"for-somebody","expires_in":null}', 'ok'),
  token('with a byte order mark', 200, '\uFEFF{"token":"for-somebody"}', 'ok'),
  token('in gzip', 200, gzipSync('{"token":"for-somebody"}'), 'ok', { 'content-encoding': 'gzip' }),
  token('in gzip, it says', 200, '{"token":"for-somebody"}', 'ok', { 'content-encoding': 'gzip' }),
  token('in an unknown coding', 200, '{"token":"for-somebody"}', ['REGISTRY_FAILED', /coding 'aws-chunked'/], { 'content-encoding': 'aws-chunked' }),
  token('without an end', 200, ' '.repeat(1_100_000), 'DOCUMENT_TOO_LARGE'),
  token('a bomb', 200, gzipSync(Buffer.alloc(8 << 20)), 'DOCUMENT_TOO_LARGE', { 'content-encoding': 'gzip' }),
  { ...token('503 once', 200, '', 'ok'), quirk: once(isToken, (answer) => void Object.assign(answer, { status: 503, headers: { 'retry-after': '0' } })) },
  { ...token('and hangs up once', 200, '', 'ok'), quirk: { before: (exchange) => isToken(exchange) && exchange.times === 0 && cut(exchange, 0, false) } },
  {
    name: 'a token that is refused',
    auth: 'bearer',
    quirk: { answer: (answer, exchange) => void (isToken(exchange) && (answer.body = Buffer.from('{"token":"other"}'))) },
    expected: all(['REGISTRY_UNAUTHORIZED', LOG_IN]),
  },
  {
    name: 'challenges of many kinds',
    auth: 'bearer',
    quirk: {
      answer: (answer, { registry }) =>
        void (
          answer.status === 401 &&
          (answer.headers['www-authenticate'] = `Negotiate, BEARER Realm="https://${registry.host}/token", Service=quirky , Basic realm="x, y=\\"z\\""`)
        ),
    },
    expected: all('ok'),
  },
  ...['Negotiate', 'Digest realm="x"', 'Bearer', 'Bearer realm=""', 'Bearer realm="token"', ''].map(
    (challenge): Case => ({
      name: `a challenge that nobody can meet: '${challenge}'`,
      auth: 'bearer',
      quirk: { answer: (answer) => void (answer.status === 401 && (answer.headers['www-authenticate'] = challenge)) },
      expected: all(['REGISTRY_UNAUTHORIZED', /^(?!.*lamella login)/s]),
    }),
  ),

  // Documents.
  ...[
    ['in capitals', 'APPLICATION/VND.OCI.Image.Manifest.V1+JSON'],
    ['with parameters', `${MANIFEST}; charset="UTF-8" ;x=y`],
    ['of any kind', 'application/octet-stream'],
    ['of text', 'text/plain; charset=utf-8'],
    ['of JSON', 'application/json'],
    ['missing', ''],
  ].map(
    ([name, type]): Case => ({
      name: `a type that is ${name}`,
      quirk: {
        answer: (answer, exchange) => void (isManifest(exchange) && (type ? (answer.headers['content-type'] = type) : delete answer.headers['content-type'])),
      },
      expected: { pull: 'ok' },
    }),
  ),
  {
    name: 'a type of something else',
    quirk: { answer: (answer, exchange) => void (isManifest(exchange) && (answer.headers['content-type'] = 'application/vnd.cncf.helm.config.v1+json')) },
    expected: { pull: 'MANIFEST_UNSUPPORTED' },
  },
  {
    name: 'a page of HTML',
    quirk: {
      answer: (answer, exchange) =>
        void (isManifest(exchange) && Object.assign(answer, { headers: { 'content-type': 'text/html' }, body: Buffer.from('<html>') })),
    },
    expected: { pull: ['MANIFEST_UNSUPPORTED', /text\/html/] },
  },
  { name: 'no digest of a manifest', quirk: { answer: (answer) => void delete answer.headers['docker-content-digest'] }, expected: all('ok') },
  {
    name: 'a wrong digest of what it has',
    quirk: { answer: (answer) => void (answer.headers['docker-content-digest'] &&= `sha256:${'0'.repeat(64)}`) },
    expected: { pull: 'DIGEST_MISMATCH', push: 'ok' },
  },
  {
    name: 'digests of another kind',
    quirk: { answer: (answer) => void (answer.headers['docker-content-digest'] = `sha512:${'0'.repeat(128)}`) },
    expected: all('ok'),
  },
  { name: 'no digest but words', quirk: { answer: (answer) => void (answer.headers['docker-content-digest'] = 'latest') }, expected: all('ok') },
  ...(['gzip', 'x-gzip', 'GZIP', 'identity, gzip'] as const).map(
    (coding): Case => ({
      name: `Content-Encoding: ${coding} around everything`,
      auth: 'bearer',
      quirk: {
        answer: (answer) =>
          void (
            answer.body.length &&
            answer.status === 200 &&
            Object.assign(answer, { body: gzipSync(answer.body), headers: { ...answer.headers, 'content-encoding': coding } })
          ),
      },
      expected: all('ok'),
    }),
  ),
  {
    name: 'Content-Encoding: gzip, chunked, around blobs',
    quirk: {
      answer: (answer, exchange) =>
        void (
          isBlob(exchange) && Object.assign(answer, { body: gzipSync(answer.body), headers: { 'content-encoding': 'gzip', 'transfer-encoding': 'chunked' } })
        ),
    },
    expected: { pull: 'ok' },
  },
  ...[{}, { 'transfer-encoding': 'chunked' }].map(
    (more): Case => ({
      name: `Content-Encoding: gzip of layers that are gzip themselves ${JSON.stringify(more)}`,
      quirk: { answer: (answer, exchange) => void (isBlob(exchange) && Object.assign(answer.headers, { 'content-encoding': 'gzip', ...more })) },
      expected: { pull: 'ok' },
    }),
  ),
  {
    name: 'Content-Encoding: br of what is not',
    quirk: {
      answer: (answer, exchange) => void (isBlob(exchange) && Object.assign(answer.headers, { 'content-encoding': 'br', 'transfer-encoding': 'chunked' })),
    },
    expected: { pull: ['REGISTRY_FAILED', /not the br/] },
  },
  {
    name: 'Content-Encoding: gzip around a blob that breaks off',
    quirk: {
      answer: (answer, exchange) => {
        if (!isBigBlob(exchange, answer.body)) return undefined;
        Object.assign(answer, { body: gzipSync(answer.body), headers: { 'content-encoding': 'gzip', 'transfer-encoding': 'chunked' } });
        if (exchange.times) return undefined;
        exchange.response.writeHead(200, answer.headers);
        exchange.response.write(answer.body.subarray(0, 200_000), () => exchange.response.destroy());
        return true;
      },
    },
    expected: { pull: 'ok' },
    check: (registry) => expect(registry.seen.filter(({ headers }) => headers.range)).toEqual([]),
  },
  {
    name: 'chunked bodies',
    quirk: { answer: (answer) => void (answer.body.length && (answer.headers['transfer-encoding'] = 'chunked')) },
    expected: all('ok'),
  },

  // Downloads that break off.
  ...[
    ['goes on by ranges', (): undefined => undefined],
    [
      'ignores ranges',
      (answer: { status: number; headers: Record<string, string>; body: Buffer }, { registry, url }: Exchange) =>
        void (answer.status === 206 && Object.assign(answer, { status: 200, headers: {}, body: registry.blobs.get(url.pathname.split('/').at(-1) ?? '') })),
    ],
    [
      'refuses ranges',
      (answer: { status: number }) => void (answer.status === 206 && Object.assign(answer, { status: 416, headers: {}, body: Buffer.alloc(0) })),
    ],
    [
      'does not say which range',
      (answer: { status: number; headers: Record<string, string> }) => void (answer.status === 206 && delete answer.headers['content-range']),
    ],
    [
      'gives an earlier range',
      (answer: { status: number; headers: Record<string, string>; body: Buffer }, { registry, url }: Exchange) =>
        void (
          answer.status === 206 &&
          Object.assign(answer, {
            headers: { 'content-range': `bytes 10-${1}/2` },
            body: registry.blobs.get(url.pathname.split('/').at(-1) ?? '')?.subarray(10),
          })
        ),
    ],
    [
      'gives a later range',
      (answer: { status: number; headers: Record<string, string> }) =>
        void (answer.status === 206 && (answer.headers['content-range'] = 'bytes 399999-400000/400001')),
    ],
  ].map(
    ([name, then]): Case => ({
      name: `a download that breaks off, and ${name}`,
      quirk: {
        answer: (answer, exchange) => {
          if (!isBigBlob(exchange, answer.body)) return undefined;
          if (exchange.times) return (then as NonNullable<Quirk['answer']>)(answer, exchange);
          exchange.response.writeHead(200, { ...answer.headers, 'content-length': answer.body.length });
          exchange.response.write(answer.body.subarray(0, 150_000), () => exchange.response.destroy());
          return true;
        },
      },
      expected: { pull: 'ok' },
    }),
  ),
  {
    name: 'a download that breaks off after its last byte',
    quirk: {
      answer: (answer, exchange) => {
        if (!isBigBlob(exchange, answer.body)) return undefined;
        exchange.response.writeHead(200, { 'transfer-encoding': 'chunked' });
        exchange.response.write(answer.body, () => exchange.response.destroy());
        return true;
      },
    },
    expected: { pull: 'ok' },
  },
  {
    name: 'a blob that is too short',
    quirk: { answer: (answer, exchange) => void (isBigBlob(exchange, answer.body) && (answer.body = answer.body.subarray(0, -10))) },
    expected: { pull: 'SIZE_MISMATCH' },
  },
  {
    name: 'a manifest that breaks off once',
    quirk: once(isManifest, (answer, { response }) => {
      response.writeHead(200, { ...answer.headers, 'content-length': answer.body.length });
      response.write(answer.body.subarray(0, 20), () => response.destroy());
      return true;
    }),
    expected: { pull: 'ok' },
  },

  // Uploads.
  ...[1, 2, 100_000, 399_999].map(
    (bytes): Case => ({
      name: `an upload that breaks off after ${bytes} bytes`,
      quirk: {
        before: (exchange) => isBigPatch(exchange) && isFirst('cut', exchange) && cut(exchange, bytes, true),
      },
      expected: { push: 'ok' },
      check: (registry) => {
        expect(registry.seen.filter(({ method, url }) => method === 'GET' && url.includes('/uploads/'))).toHaveLength(1);
        const ranges = registry.seen.filter(({ method }) => method === 'PATCH').map(({ headers }) => headers['content-range']?.split('-')[0]);
        // One byte may as well be none.
        expect(ranges).toEqual(expect.arrayContaining([bytes > 1 ? String(bytes) : '0']));
      },
    }),
  ),
  {
    name: 'an upload that breaks off, and is forgotten',
    quirk: {
      before: (exchange) =>
        isBigPatch(exchange) && isFirst('forgotten', exchange) && exchange.registry.uploads.delete(uploadOf(exchange)) && cut(exchange, 10, false),
    },
    expected: { push: 'ok' },
  },
  {
    name: 'an upload that breaks off where nobody tells how far it was',
    quirk: {
      before: (exchange) => isBigPatch(exchange) && isFirst('untold', exchange) && cut(exchange, 10, true),
      answer: (answer, { seen, url }) =>
        void (seen.method === 'GET' && url.pathname.includes('/uploads/') && Object.assign(answer, { status: 405, headers: {} })),
    },
    expected: { push: 'ok' },
  },
  {
    name: 'an upload that breaks off at its end',
    quirk: {
      before: (exchange) => exchange.seen.method === 'PUT' && exchange.url.pathname.includes('/uploads/') && exchange.times === 0 && cut(exchange, 0, false),
    },
    expected: { push: 'ok' },
  },
  {
    name: 'an upload whose end is never heard',
    quirk: {
      answer: (_, { seen, url, times, response }) => {
        if (seen.method !== 'PUT' || !url.pathname.includes('/uploads/') || times) return undefined;
        response.destroy();
        return true;
      },
    },
    expected: { push: 'ok' },
  },
  {
    name: 'a registry that is busy in the middle of an upload',
    quirk: {
      before: (exchange) => (isPatch(exchange) && exchange.times === 0 ? busy(exchange) : false),
    },
    expected: { push: 'ok' },
  },
  {
    name: 'a registry that takes less than it is given',
    quirk: {
      answer: (answer, exchange) => {
        if (!isPatch(exchange) || exchange.times || (exchange.seen.body?.length ?? 0) < 300_000) return undefined;
        const id = exchange.url.pathname.split('/').at(-1) ?? '';
        exchange.registry.uploads.set(id, (exchange.seen.body as Buffer).subarray(0, 5000));
        answer.headers.range = '0-4999';
        return undefined;
      },
    },
    expected: { push: 'ok' },
  },
  {
    name: 'ranges of uploads with a unit',
    quirk: { answer: (answer) => void (answer.headers.range &&= `bytes=${answer.headers.range}`) },
    expected: { push: 'ok' },
  },
  { name: 'no ranges of uploads', quirk: { answer: (answer) => void delete answer.headers.range }, expected: { push: 'ok' } },
  {
    name: 'a piece that is answered 200, without a place',
    quirk: { answer: (answer, exchange) => void (isPatch(exchange) && Object.assign(answer, { status: 200, headers: {} })) },
    expected: { push: 'ok' },
  },
  ...[400, 405, 411, 415, 501].map(
    (status): Case => ({
      name: `a registry that takes no pieces, and says ${status}`,
      quirk: {
        answer: (answer, exchange) => void (isPatch(exchange) && noPieces(answer, exchange, status)),
      },
      expected: { push: 'ok' },
      check: (registry) => expect(registry.seen.filter(({ method, url }) => method === 'PUT' && url.includes('/uploads/')).length).toBe(2),
    }),
  ),
  {
    name: 'something on the way that takes small bodies only',
    quirk: {
      before: ({ seen, request, response }) => {
        if (!(Number(seen.headers['content-length']) > 300_000)) return false;
        request.resume();
        response.writeHead(413).end();
        return true;
      },
    },
    expected: { push: 'ok' },
  },
  {
    name: 'an upload without a place',
    quirk: { answer: (answer, exchange) => void (isUploadStart(exchange) && delete answer.headers.location) },
    expected: { push: ['REGISTRY_FAILED', /where to upload/] },
  },
  {
    name: 'a registry that wants large pieces',
    quirk: { answer: (answer, exchange) => void (isUploadStart(exchange) && (answer.headers['oci-chunk-min-length'] = String(64 << 20))) },
    expected: { push: 'ok' },
  },
  {
    name: 'a registry that knows no HEAD',
    quirk: { answer: (answer, { seen }) => void (seen.method === 'HEAD' && Object.assign(answer, { status: 405 })) },
    expected: { push: 'ok' },
  },
  {
    name: 'an upload that is refused',
    auth: 'bearer',
    quirk: { answer: (answer, exchange) => void (isUploadStart(exchange) && Object.assign(answer, { status: 403 })) },
    expected: { push: ['REGISTRY_UNAUTHORIZED', LOG_IN] },
  },
  {
    name: 'a manifest that is refused',
    quirk: {
      answer: (answer, { seen, url }) =>
        void (
          seen.method === 'PUT' &&
          url.pathname.includes('/manifests/') &&
          Object.assign(answer, { status: 400, headers: {}, body: Buffer.from('{"errors":null}') })
        ),
    },
    expected: { push: 'REGISTRY_FAILED' },
  },

  // Trouble.
  {
    name: 'trouble that passes',
    quirk: { answer: (answer, { times }) => void (!times && Object.assign(answer, { status: 502, headers: { 'retry-after': '0' } })) },
    expected: all('ok'),
  },
  {
    name: 'trouble that stays',
    quirk: { answer: (answer) => void Object.assign(answer, { status: 500, headers: { 'retry-after': '0' }, body: Buffer.from('<html>') }) },
    expected: all(['REGISTRY_FAILED', /500.*later/s]),
  },
  {
    name: 'no registry',
    quirk: { answer: (answer) => void Object.assign(answer, { status: 404, headers: {}, body: Buffer.from('<html>') }) },
    expected: all('REGISTRY_NOT_FOUND'),
  },
  {
    name: 'too many requests',
    quirk: { answer: (answer) => void Object.assign(answer, { status: 429, headers: { 'retry-after': 'Thu, 01 Jan 2099 00:00:00 GMT' } }) },
    expected: all(['REGISTRY_RATE_LIMITED', /too many/]),
  },
];

let at: ScratchDirectory;
let network: QuirkyNetwork;
let paths: StorePaths;
const before = { ...process.env };

beforeAll(async () => {
  at = scratch();
  if (!findProgram('openssl')) return;
  network = await quirkyNetwork(at.path);
  Object.assign(process.env, {
    HTTPS_PROXY: network.proxy,
    HTTP_PROXY: network.proxy,
    NO_PROXY: '',
    SSL_CERT_FILE: network.certificate,
    // The machine's own are many, and not needed here.
    SSL_CERT_DIR: at.path,
    REGISTRY_AUTH_FILE: at.join('none.json'),
  });
  paths = new StorePaths(at.join('store'));
  mkdirSync(paths.root);
  ociLayout(paths.images, [LAYER], { name: 'docker.io/library/app:latest' });
});
afterAll(async () => {
  for (const name of ['HTTPS_PROXY', 'HTTP_PROXY', 'NO_PROXY', 'SSL_CERT_FILE', 'SSL_CERT_DIR', 'REGISTRY_AUTH_FILE']) {
    if (before[name] === undefined) delete process.env[name];
    else process.env[name] = before[name];
  }
  await network?.[Symbol.asyncDispose]();
  await at[Symbol.asyncDispose]();
});

const [DESCRIPTOR, BLOBS] = [() => readIndex(paths).manifests[0] as never as { digest: string; size: number; mediaType: string }, new Map<string, Buffer>()];

/** Puts the image into a registry. */
function fill(registry: QuirkyRegistry): void {
  const { digest } = DESCRIPTOR();
  const content = readFileSync(paths.blob(digest));
  for (const name of [digest, 'latest']) registry.manifests.set(name, { type: MANIFEST, content });
  const { config, layers } = JSON.parse(content.toString()) as { config: { digest: string }; layers: { digest: string }[] };
  for (const each of [config, ...layers]) registry.put(BLOBS.get(each.digest) ?? readFileSync(paths.blob(each.digest)));
}

const WORK: Readonly<Record<Command, (client: RegistryClient) => Promise<void>>> = {
  async pull(client) {
    const image = await registryImage(client, parseReference(`${client.domain}/app`), hostPlatform());
    for (const { open, expected } of image.layers) {
      const hash = createHash('sha256');
      for await (const chunk of await open()) hash.update(chunk as Buffer);
      expect(`sha256:${hash.digest('hex')}`).toBe(expected?.digest);
    }
  },
  async push(client) {
    await pushImage(paths, client, parseReference(`${client.domain}/app`), DESCRIPTOR());
  },
  async login(client) {
    await client.checkCredentials();
  },
};

let number = 0;
/** Where all commands do the same, one after the other takes its turn; `LAMELLA_LONG=1` tries all of them. */
const matrix = CASES.flatMap((each, i) =>
  Object.entries(each.expected)
    .filter(
      ([command], _, { length }) =>
        process.env.LAMELLA_LONG || length < COMMANDS.length || each.name.startsWith('auth ') || command === COMMANDS[i % COMMANDS.length],
    )
    .map(([command, outcome]) => [`${command}: ${each.name}`, each, command as Command, outcome] as const),
);

test.concurrent.for(matrix)('%s', async ([, { quirk, auth = 'none', credentials = SOMEBODY, tlsVerify, trusts = [], check }, command, expected], context) => {
  if (!network) return skip(context, 'openssl is not installed');
  const id = number++;
  const registry = new QuirkyRegistry(`quirky-${id}.reg.example`, { auth, quirk: rehosted(quirk, id) });
  const elsewhere = new QuirkyRegistry(`elsewhere-${id}.reg.example`, {
    auth: 'none',
    quirk: {
      answer: (answer, { url }) =>
        void (
          /\/(?:forbidden|unauthorized)$/.test(url.pathname) &&
          Object.assign(answer, { status: url.pathname.endsWith('n') ? 403 : 401, headers: { 'www-authenticate': 'Basic realm="give me"' } })
        ),
    },
  });
  for (const [host, who] of [
    [registry.host, registry],
    [elsewhere.host, elsewhere],
    [`${elsewhere.host}:8443`, elsewhere],
  ] as const)
    network.hosts.set(host, who);
  for (const each of command === 'push' ? [] : [registry, elsewhere]) fill(each);
  await using client = new RegistryClient(registry.host, command === 'login' ? '' : 'app', {
    ...(command === 'push' ? { actions: 'pull,push' as const } : {}),
    ...(credentials === 'none' ? {} : { credentials }),
    ...(tlsVerify === undefined ? {} : { tlsVerify }),
  });
  const outcome = await WORK[command](client).then(
    () => 'ok',
    (error: { code: string; message: string; hint: string }) => (error.code ? error : Promise.reject(error)),
  );
  if (typeof outcome === 'string' || typeof expected === 'string')
    expect(typeof outcome === 'string' ? outcome : outcome.code, typeof outcome === 'string' ? '' : outcome.message).toBe(
      typeof expected === 'string' ? expected : expected[0],
    );
  else {
    expect(outcome).toMatchObject({ code: expected[0] });
    expect(`${outcome.message} ${outcome.hint}`).toMatch(expected[1]);
  }
  if (outcome === 'ok' && command === 'push') expect([...registry.manifests.keys()]).toContain('latest');
  check?.(registry, command, elsewhere);
  // Whatever happened: credentials are for whom they are for, and never go in clear.
  const hosts = [registry.host, ...trusts.map((each) => rehost(each, id))];
  for (const { url, headers, body } of [...registry.seen, ...elsewhere.seen]) {
    if (!headers.authorization && !body?.includes('secret')) continue;
    expect(hosts).toContain(new URL(url).host);
    if (tlsVerify !== false) expect(url).toMatch(/^https:/);
  }
});

const rehost = (text: string, id: number): string =>
  text.replaceAll('elsewhere.example', `elsewhere-${id}.reg.example`).replaceAll('quirky.example', `quirky-${id}.reg.example`);

/** Each case has its own hosts: the names in its answers are theirs. */
function rehosted({ before: first, answer: then }: Quirk, id: number): Quirk {
  return {
    ...(first ? { before: first } : {}),
    answer: (answer, exchange) => {
      const done = then?.(answer, exchange);
      for (const [name, value] of Object.entries(answer.headers)) answer.headers[name] = rehost(value, id);
      return done;
    },
  };
}
