import { renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { frozenFile, removableDirectories } from '@lamella/cgroup';
import { bytesOf, visible, visibleJson } from '@lamella/syscall';
import type { OciConfig } from '../config/schema.js';
import type { StateDirectory } from './state-directory.js';
import { type StoredContainer, stateOf } from './stored-container.js';

/** Raised with every change of the record, and of what the commands print or do. native/oci/oci-record.c has the same number. */
const VERSION = 1;
const MAGIC = 'LAMELOCI';
const HEADER = 108;
const CHECKSUM = 104;
/** The native launcher refuses longer records. */
const LONGEST = 1 << 20;

const STARTS = 1;
const DELETES = 2;
const FREEZER_V2 = 4;

/**
 * Writes the record from which the native launcher runs `state`, `start`, `kill`, `delete` and `list` without Node. It has the
 * texts that they print and the files that they open. If it cannot be written, Node runs these commands.
 *
 * @param directory with the final state and configuration of the container, which the record identifies by their times
 */
export function writeLaunchRecord(directory: StateDirectory, stored: StoredContainer, config: OciConfig): void {
  const { init } = stored;
  if (!init) return;
  const file = path.join(directory.path, 'record');
  try {
    const record = encode(directory, { ...stored, init }, config);
    if (record.length > LONGEST) return;
    writeFileSync(`${file}.new`, record, { mode: 0o600 });
    renameSync(`${file}.new`, file);
  } catch {
    rmSync(`${file}.new`, { force: true });
  }
}

function encode(directory: StateDirectory, stored: StoredContainer & { readonly init: object }, config: OciConfig): Buffer {
  const freezer = frozenFile(stored.cgroup);
  const bundle = visible(stored.bundle);
  const stopped = stateOf(stored, 'stopped');
  const texts = [
    stored.boot,
    ...cut(visibleJson(`${JSON.stringify(stopped, null, 2)}\n`), ['"pid": ', '0'], ['"status": "', 'stopped']),
    ...elementOf(stopped),
    visible(stored.id),
    bundle,
    visible(stored.created),
    freezer?.path ?? '',
    ...removableDirectories(stored.cgroup),
  ].map(encodeText);
  const header = Buffer.alloc(HEADER);
  const record = Buffer.concat([header, ...texts]);
  record.write(MAGIC, 'latin1');
  const numbers = [VERSION, record.length, flagsOf(stored, config) | (freezer?.version === 2 ? FREEZER_V2 : 0), stored.owner, stored.init.pid, bundle.length];
  let at = MAGIC.length;
  for (const number of numbers) at = record.writeUInt32LE(number, at);
  for (const number of [BigInt(stored.init.startTime), ...markOf(directory.state), ...markOf(directory.config)]) at = record.writeBigUInt64LE(number, at);
  record.writeUInt32LE(hashOf(record.subarray(HEADER), hashOf(record.subarray(0, CHECKSUM))), CHECKSUM);
  return record;
}

/** Returns the hash FNV-1a of 32 bits, with which the launcher finds damage. */
function hashOf(bytes: Uint8Array, begun = 2166136261): number {
  let hash = begun;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 16777619);
  return hash >>> 0;
}

/** Returns which commands need no Node: those of containers without hooks and without what only Node can release. */
function flagsOf({ mountsOnHost, namespaces, rdt, scope }: StoredContainer, { hooks = {}, linux, process }: OciConfig): number {
  const starts = process && !hooks.startContainer?.length && !hooks.poststart?.length && linux?.seccomp?.listenerPath === undefined;
  // Without a pid namespace processes may outlive the init.
  const deletes = namespaces.includes('pid') && !scope && !rdt && !mountsOnHost && !hooks.poststop?.length;
  return (starts ? STARTS : 0) | (deletes ? DELETES : 0);
}

/** Returns the texts of an element of `list --format json`. The owner is the last property. */
function elementOf(state: Record<string, unknown>): string[] {
  const text = visibleJson(JSON.stringify({ ...state, owner: '' }));
  const end = '"}';
  return [...cut(text.slice(0, -end.length), ['"pid":', '0'], ['"status":"', 'stopped']), end];
}

/**
 * Returns a text in parts, without the values at the first occurrence of each hole. In JSON an unescaped quote begins or ends a
 * string, so no string contains a hole.
 */
function cut(text: string, ...holes: readonly (readonly [before: string, value: string])[]): string[] {
  const parts: string[] = [];
  let rest = text;
  for (const [before, value] of holes) {
    const end = rest.indexOf(before + value) + before.length;
    parts.push(rest.slice(0, end));
    rest = rest.slice(end + value.length);
  }
  return [...parts, rest];
}

function encodeText(text: string): Buffer {
  const bytes = bytesOf(text);
  const encoded = Buffer.alloc(4 + bytes.length + 1);
  encoded.writeUInt32LE(bytes.length);
  encoded.set(bytes, 4);
  return encoded;
}

/** Returns what changes with a file: inode, size, and the times in nanoseconds. */
function markOf(file: string): bigint[] {
  const { ino, size, mtimeNs, ctimeNs } = statSync(file, { bigint: true });
  return [ino, size, mtimeNs, ctimeNs];
}
