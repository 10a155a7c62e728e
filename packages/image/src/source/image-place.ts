import path from 'node:path';

/** Where an image is, in skopeo's words. */
type FileTransport = 'docker-archive' | 'oci-archive' | 'oci' | 'dir';

/** The place of an image. */
export interface SourceLocation {
  /** Found out by looking when missing. */
  readonly transport?: FileTransport;
  readonly path: string;
  readonly name?: string;
}

/** Reads `TRANSPORT:PATH[:NAME]`; undefined when no such transport is named. */
export function parseLocation(text: string): SourceLocation | undefined {
  const match = /^(docker-archive|oci-archive|oci|dir):([^:]+)(?::(.+))?$/.exec(text);
  if (!match?.[2]) return undefined;
  return { transport: match[1] as FileTransport, path: path.resolve(match[2]), ...(match[3] === undefined ? {} : { name: match[3] }) };
}

/** Whether words can only mean a place, and not the name of an image: a transport, or a path that looks like one. */
export function isImageLocation(text: string): boolean {
  return parseLocation(text) !== undefined || /^(?:\/|\.\.?(?:\/|$))/.test(text);
}
