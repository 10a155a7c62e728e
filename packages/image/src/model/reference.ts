import { ImageError } from './image-error.js';

/** The grammar of repository names, tags and digests (github.com/distribution/reference). */
const COMPONENT = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*';
const LABEL = '[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?';
/** A zone (`fe80::1%eth0`) does not belong to the grammar: it has a meaning on one machine only. */
const HOST = new RegExp(`^(?:${LABEL}(?:\\.${LABEL})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?$`);
const PATH = new RegExp(`^${COMPONENT}(?:/${COMPONENT})*$`);
const TAG = /^\w[\w.-]{0,127}$/;
const ANY_DIGEST = /^[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}$/;
const DIGEST = /^sha256:[0-9a-f]{64}$/;
const PATH_MAX = 255;
const DOCKER_HUB = 'docker.io';

/** The name of an image, complete: with a tag, a digest, or both. */
export interface Reference {
  /** `docker.io`, `localhost:5000`, … */
  readonly domain: string;
  /** `library/busybox` */
  readonly path: string;
  /** Missing when there is a digest and no tag was said. */
  readonly tag?: string;
  /** `sha256:…` of the manifest or index. */
  readonly digest?: string;
}

/**
 * Reads `[HOST[:PORT]/]PATH[:TAG][@DIGEST]`; what is missing is `docker.io`, `library/` and `latest`,
 * as for Docker. `docker://` before it, as skopeo writes, says nothing new.
 *
 * @throws ImageError `REFERENCE_INVALID`
 */
export function parseReference(given: string): Reference {
  const text = given.replace(/^docker:\/\//, '');
  const invalid = (why: string): ImageError =>
    new ImageError({
      code: 'REFERENCE_INVALID',
      message: `'${text}' is not an image name: ${why}`,
      hint: 'Write NAME[:TAG][@DIGEST], in lower case, like busybox or team/tools:1.2.',
    });
  const at = text.indexOf('@');
  const digest = at < 0 ? undefined : text.slice(at + 1);
  if (digest !== undefined && !DIGEST.test(digest))
    throw invalid(
      ANY_DIGEST.test(digest) && !/^sha256:/i.test(digest)
        ? 'only digests of sha256 are supported'
        : 'a digest is sha256: and 64 lower-case hexadecimal digits',
    );
  const named = at < 0 ? text : text.slice(0, at);
  // Docker takes such a word for the ID of an image.
  if (/^[0-9a-f]{64}$/.test(text)) throw invalid('64 hexadecimal digits are the digest of an image, not a name');
  const { domain, rest } = splitDomain(named);
  const colon = rest.indexOf(':');
  const path = colon < 0 ? rest : rest.slice(0, colon);
  const tag = colon < 0 ? (digest === undefined ? 'latest' : undefined) : rest.slice(colon + 1);
  if (domain.includes('%')) throw invalid('an IPv6 address is given without a zone');
  if (!HOST.test(domain)) throw invalid(`'${domain}' is not HOST[:PORT]`);
  if (!portIsValid(domain)) throw invalid('a port is a number from 1 to 65535');
  if (tag !== undefined && !TAG.test(tag)) throw invalid(tag === '' ? 'the tag is empty' : 'a tag has letters, digits, _ . and -, at most 128');
  if (!PATH.test(path)) throw invalid(/[A-Z]/.test(path) ? 'upper case is not allowed' : 'it has letters, digits, and . _ - / between them');
  if (path.length > PATH_MAX) throw invalid(`it is longer than ${PATH_MAX} characters`);
  return { domain, path, ...(tag === undefined ? {} : { tag }), ...(digest === undefined ? {} : { digest }) };
}

/**
 * Splits a name as Docker does: what is before the first `/` is a host if it could not be a part of a repository's name.
 * Docker Hub has one name here, whatever it was called, and `library/` where it has no namespace.
 */
function splitDomain(named: string): { readonly domain: string; readonly rest: string } {
  const slash = named.indexOf('/');
  const first = named.slice(0, slash);
  const isHost = slash > 0 && (first === 'localhost' || /[.:]/.test(first) || first !== first.toLowerCase());
  const domain = isHost ? (first === 'index.docker.io' ? DOCKER_HUB : first) : DOCKER_HUB;
  const rest = isHost ? named.slice(slash + 1) : named;
  return { domain, rest: domain === DOCKER_HUB && !rest.includes('/') ? `library/${rest}` : rest };
}

/** Whether a text is `HOST[:PORT]`, as in the name of an image. */
export function isHost(text: string): boolean {
  return HOST.test(text) && portIsValid(text);
}

/** No address has another port; Docker finds that out when it connects. */
function portIsValid(domain: string): boolean {
  const port = /:(\d+)$/.exec(domain)?.[1];
  return port === undefined || (Number(port) > 0 && Number(port) < 65536);
}

/** The whole name, as it is stored. */
export function formatReference({ domain, path, tag, digest }: Reference): string {
  return `${domain}/${path}${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`;
}

/** The short name, as people know it; the tag is `<none>` for an image that has only a digest. */
export function familiarReference(reference: Reference): { readonly name: string; readonly tag: string } {
  const { domain, path, tag } = reference;
  const name = domain !== 'docker.io' ? `${domain}/${path}` : path.replace(/^library\/([^/]+)$/, '$1');
  return { name, tag: tag ?? '<none>' };
}

/** The same for messages: `busybox:latest`. */
export function shortReference(reference: Reference): string {
  const { name } = familiarReference(reference);
  return `${name}${reference.tag === undefined ? '' : `:${reference.tag}`}${reference.digest === undefined ? '' : `@${reference.digest}`}`;
}
