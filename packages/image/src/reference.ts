import { ImageError } from './image-error.js';

/** Docker's grammar for repository names (distribution/reference), without digests. */
const COMPONENT = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*';
const HOST = '(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)(?:\\.(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?))*(?::[0-9]+)?';
const NAME = new RegExp(`^(?:(${HOST})/)?(${COMPONENT}(?:/${COMPONENT})*)$`);
const TAG = /^[\w][\w.-]{0,127}$/;

/** The name of an image, complete. */
export interface Reference {
  /** `docker.io`, `localhost:5000`, … */
  readonly domain: string;
  /** `library/busybox` */
  readonly path: string;
  readonly tag: string;
}

/**
 * Read `[HOST[:PORT]/]PATH[:TAG]`; what is missing is `docker.io`, `library/` and `latest`, as for
 * Docker.
 *
 * @throws ImageError `REFERENCE_INVALID`
 */
export function parseReference(text: string): Reference {
  const slash = text.lastIndexOf('/');
  const colon = text.indexOf(':', slash + 1);
  const name = colon < 0 ? text : text.slice(0, colon);
  const tag = colon < 0 ? 'latest' : text.slice(colon + 1);
  const match = NAME.exec(name);
  const invalid = (why: string): ImageError =>
    new ImageError({
      code: 'REFERENCE_INVALID',
      message: `'${text}' is not an image name: ${why}`,
      hint: 'Write NAME[:TAG], in lower case, like busybox or team/tools:1.2.',
    });
  if (!TAG.test(tag)) throw invalid(tag === '' ? 'the tag is empty' : 'a tag has letters, digits, _ . and -, at most 128');
  if (!match || name.length > 255) throw invalid(/[A-Z]/.test(name) ? 'upper case is not allowed' : 'it has letters, digits, and . _ - / between them');
  const [first = '', ...rest] = name.split('/');
  const isDomain = rest.length > 0 && (/[.:]/.test(first) || first === 'localhost' || first !== first.toLowerCase());
  const domain = isDomain ? first : 'docker.io';
  const repository = isDomain ? rest.join('/') : name;
  const path = domain === 'docker.io' && !repository.includes('/') ? `library/${repository}` : repository;
  return { domain, path, tag };
}

/** The whole name, as it is stored. */
export function formatReference({ domain, path, tag }: Reference): string {
  return `${domain}/${path}:${tag}`;
}

/** The short name, as people know it. */
export function familiarReference(reference: Reference): { readonly name: string; readonly tag: string } {
  const { domain, path, tag } = reference;
  const name = domain !== 'docker.io' ? `${domain}/${path}` : path.replace(/^library\/([^/]+)$/, '$1');
  return { name, tag };
}
