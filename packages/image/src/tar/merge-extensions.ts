import type { TarHeader } from './header.js';
import { type PaxRecords, paxInteger, paxTime } from './pax.js';

/** A header with everything that extended headers before it change. */
export interface MergedHeader {
  readonly name: string;
  readonly linkname: string;
  readonly uid: number;
  readonly gid: number;
  /** Bytes in the archive. */
  readonly size: number;
  /** Seconds and nanoseconds. */
  readonly mtime: readonly [number, number];
  readonly xattrs: Map<string, Buffer> | undefined;
  /** What GNU tar's keywords for sparse files contain. */
  readonly sparse: { readonly realSize: number | undefined; readonly numbers: readonly string[]; readonly major: string };
}

/**
 * Merges PAX records and GNU's long names into a header (pax(1), tar(5)).
 *
 * @param records global ones first; a later record replaces an earlier one
 * @throws ImageError `TAR_PAX` for numbers and times that are none
 */
export function mergeExtensions(
  header: TarHeader,
  records: PaxRecords,
  long: { readonly name: string | undefined; readonly linkname: string | undefined },
): MergedHeader {
  let name = long.name ?? header.name;
  let linkname = long.linkname ?? header.linkname;
  let { uid, gid, size } = header;
  let mtime: readonly [number, number] = [header.mtime, 0];
  let xattrs: Map<string, Buffer> | undefined;
  let realSize: number | undefined;
  let sparseName: string | undefined;
  const numbers: string[] = [];
  let major = '';
  for (const [key, value] of records) {
    switch (key) {
      case 'path':
        name = value;
        break;
      case 'linkpath':
        linkname = value;
        break;
      case 'size':
        size = paxInteger(key, value, name);
        break;
      case 'uid':
        uid = paxInteger(key, value, name);
        break;
      case 'gid':
        gid = paxInteger(key, value, name);
        break;
      case 'mtime':
        mtime = paxTime(key, value, name);
        break;
      case 'GNU.sparse.name':
        sparseName = value;
        break;
      case 'GNU.sparse.size':
      case 'GNU.sparse.realsize':
        realSize = paxInteger(key, value, name);
        break;
      case 'GNU.sparse.offset':
      case 'GNU.sparse.numbytes':
        numbers.push(value);
        break;
      case 'GNU.sparse.map':
        numbers.push(...value.split(','));
        break;
      case 'GNU.sparse.major':
        major = value;
        break;
      default:
        if (key.startsWith('SCHILY.xattr.')) (xattrs ??= new Map()).set(attributeName(key.slice(13)), Buffer.from(value, 'latin1'));
        else if (key.startsWith('LIBARCHIVE.xattr.') && !xattrs?.has(libarchiveName(key)))
          (xattrs ??= new Map()).set(libarchiveName(key), Buffer.from(value, 'base64'));
    }
  }
  return { name: sparseName ?? name, linkname, uid, gid, size, mtime, xattrs, sparse: { realSize, numbers, major } };
}

/** GNU tar encodes the two characters that a keyword cannot have or that encode others, and so do we. */
function attributeName(key: string): string {
  return key.replace(/%(3D|25)/g, (_, code: string) => (code === '25' ? '%' : '='));
}

/** LIBARCHIVE.xattr names are URL-encoded. */
function libarchiveName(key: string): string {
  return key.slice(17).replace(/%([0-9a-fA-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}
