import * as v from 'valibot';
import { ImageError } from '../model/image-error.js';
import type { Credentials } from '../model/registry-credentials.js';
import { type ReadAnswer, readIfGood } from './answer.js';
import { connectionError, problemsOf, statusError } from './explain-answer.js';
import { type OutgoingRequest, type Outlet, Secret } from './network/outlet.js';
import { patiently } from './patience.js';

/** Bytes of a token. */
const TOKEN_MAX = 1 << 20;
const Text = v.optional(v.nullable(v.string()));
const Token = v.looseObject({ token: Text, access_token: Text });

export interface TokenRequest {
  /** Of the challenge. */
  readonly realm: string;
  readonly service: string | undefined;
  readonly scopes: readonly string[];
  /** Undefined asks as nobody. */
  readonly credentials: Credentials | undefined;
  readonly signal: AbortSignal | undefined;
}

/** A token server that does not let us in. */
export class Denied extends Error {}

/**
 * Fetches a token (distribution's token specification; with an identity token, its OAuth form).
 *
 * @throws Denied when other credentials could help; ImageError `REGISTRY_*`, `DOCUMENT_TOO_LARGE`
 */
export async function fetchToken(outlet: Outlet, { realm, service, scopes, credentials, signal }: TokenRequest): Promise<string> {
  const url = new URL(realm);
  const asked = requestFor(url, service, scopes, credentials);
  const who = `the token server ${url.host}`;
  let answer: ReadAnswer;
  try {
    answer = await patiently(async () => readIfGood(await outlet.send(url, asked), TOKEN_MAX, `the answer of ${who}`), signal);
  } catch (error) {
    signal?.throwIfAborted();
    throw connectionError(error, url.host);
  }
  const { status, content } = answer;
  if (content) return tokenOf(content.toString('utf8'), who);
  const said = await problemsOf(answer);
  if (status === 401 || status === 403 || (status === 400 && credentials && !('username' in credentials)))
    throw new Denied(`${credentials ? 'it does not accept these credentials' : 'it wants credentials'}${said ? ` (${said})` : ''}`);
  throw statusError(answer, who, said, credentials === undefined);
}

function requestFor(url: URL, service: string | undefined, scopes: readonly string[], credentials: Credentials | undefined): OutgoingRequest {
  if (credentials && 'identityToken' in credentials) {
    const form = new URLSearchParams({ ...(service ? { service } : {}), ...(scopes.length ? { scope: scopes.join(' ') } : {}) });
    form.set('grant_type', 'refresh_token');
    form.set('client_id', 'lamella');
    form.set('refresh_token', credentials.identityToken);
    return { method: 'POST', secret: Secret.form(url.origin, form) };
  }
  if (service) url.searchParams.set('service', service);
  for (const scope of scopes) url.searchParams.append('scope', scope);
  return { method: 'GET', secret: credentials && 'username' in credentials ? basicFor(url.origin, credentials) : undefined };
}

export function basicFor(origin: string, { username, password }: { readonly username: string; readonly password: string }): Secret {
  return Secret.header(origin, `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`);
}

export function bearerFor(origin: string, token: string): Secret {
  return Secret.header(origin, `Bearer ${token}`);
}

function tokenOf(text: string, who: string): string {
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), Token), text.replace(/^\uFEFF/, ''));
  const token = parsed.success ? parsed.output.token || parsed.output.access_token : undefined;
  // What else there is could not be in a header (RFC 6750, 2.1, and what is seen in the wild).
  if (token && /^[\x21-\x7e]+$/.test(token)) return token;
  throw new ImageError({
    code: 'REGISTRY_FAILED',
    message: `${who} gives no token${parsed.success ? '' : ': its answer is not the JSON of one'}`,
    hint: 'The server has a problem: try again later, or ask its administrator.',
  });
}
