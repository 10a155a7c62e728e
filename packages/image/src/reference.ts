import { ImageError } from './image-error.js';

/** Docker's grammar for repository names and digests (distribution/reference). */
const COMPONENT = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*';
const HOST = '(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)(?:\\.(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?))*(?::[0-9]+)?';
const NAME = new RegExp(`^(?:(${HOST})/)?(${COMPONENT}(?:/${COMPONENT})*)$`);
const TAG = /^[\w][\w.-]{0,127}$/;
const DIGEST = /^sha256:[0-9a-f]{64}$/;

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
 * Read `[HOST[:PORT]/]PATH[:TAG][@DIGEST]`; what is missing is `docker.io`, `library/` and `latest`,
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
  if (digest !== undefined && !DIGEST.test(digest)) throw invalid('a digest is sha256: and 64 hexadecimal digits');
  const named = at < 0 ? text : text.slice(0, at);
  const slash = named.lastIndexOf('/');
  const colon = named.indexOf(':', slash + 1);
  const name = colon < 0 ? named : named.slice(0, colon);
  const tag = colon < 0 ? (digest === undefined ? 'latest' : undefined) : named.slice(colon + 1);
  const match = NAME.exec(name);
  if (tag !== undefined && !TAG.test(tag)) throw invalid(tag === '' ? 'the tag is empty' : 'a tag has letters, digits, _ . and -, at most 128');
  if (!match || name.length > 255) throw invalid(/[A-Z]/.test(name) ? 'upper case is not allowed' : 'it has letters, digits, and . _ - / between them');
  const [first = '', ...rest] = name.split('/');
  const isDomain = rest.length > 0 && (/[.:]/.test(first) || first === 'localhost' || first !== first.toLowerCase());
  const domain = isDomain ? first : 'docker.io';
  const repository = isDomain ? rest.join('/') : name;
  const path = domain === 'docker.io' && !repository.includes('/') ? `library/${repository}` : repository;
  return { domain, path, ...(tag === undefined ? {} : { tag }), ...(digest === undefined ? {} : { digest }) };
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
