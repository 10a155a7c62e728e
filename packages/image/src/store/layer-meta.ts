import { readdirSync } from 'node:fs';
import path from 'node:path';
import { bootId, idMapping, isSealedText, sealText, unfitForUpper } from '@lamella/syscall';
import * as v from 'valibot';
import type { AppliedLayer } from '../model/applied-layer.js';
import { writeDurably } from './durable-file.js';
import type { StorePaths } from './store-paths.js';
import { textOfStored } from './stored-file.js';

/** What a store knows about an unpacked layer. */
export interface LayerMeta {
  readonly version: 1;
  readonly diffID: string;
  readonly entries: number;
  /** Bytes of the layer's archive, uncompressed. */
  readonly size: number;
  /** The blob it was unpacked from. */
  readonly blob?: { readonly digest: string; readonly size: number; readonly compression: 'none' | 'gzip' | 'zstd' } | undefined;
  /** Directories that the layer needs and does not list. */
  readonly implied: string[];
  /** Directories that hide what the layers below have in them. */
  readonly opaque?: string[] | undefined;
  /** Those of them that replace what is below, metadata and all. */
  readonly replaced?: string[] | undefined;
  /** Directories with whiteouts in them. */
  readonly whiteoutDirectories?: string[] | undefined;
  /** That these are files, and the opaque marks, too: made where overlayfs has no uppers. */
  readonly marks?: 'files' | undefined;
  /** Hard links to what is in the layers below. */
  readonly lowerLinks?: { readonly path: string; readonly target: string }[] | undefined;
  /** In the notes of a chain: which layers of its stack stand in it as they were unpacked on those below; see rebase-layer.ts. */
  readonly rebased?: string[] | undefined;
  /** Whose owners the tree has (see IdMapping); with one id only they were not kept. */
  readonly ids?: 'host' | 'single' | 'full' | undefined;
  readonly warnings: string[];
  /** The boot in which it was unpacked. Until `synced`, it is believed in this boot only. */
  readonly bootId: string;
  readonly synced: boolean;
  /** Milliseconds since the epoch. */
  readonly unpackedAt: number;
}

export type NotedBlob = Exclude<LayerMeta['blob'], undefined>;

const NotedBlobSchema: v.GenericSchema<unknown, NotedBlob> = v.object({
  digest: v.string(),
  size: v.number(),
  compression: v.picklist(['none', 'gzip', 'zstd']),
});

const LayerMetaSchema: v.GenericSchema<unknown, LayerMeta> = v.object({
  version: v.literal(1),
  diffID: v.string(),
  entries: v.number(),
  size: v.number(),
  blob: v.optional(NotedBlobSchema),
  implied: v.array(v.string()),
  opaque: v.optional(v.array(v.string())),
  replaced: v.optional(v.array(v.string())),
  whiteoutDirectories: v.optional(v.array(v.string())),
  marks: v.optional(v.literal('files')),
  lowerLinks: v.optional(v.array(v.object({ path: v.string(), target: v.string() }))),
  rebased: v.optional(v.array(v.string())),
  ids: v.optional(v.picklist(['host', 'single', 'full'])),
  warnings: v.array(v.string()),
  bootId: v.string(),
  synced: v.boolean(),
  unpackedAt: v.number(),
});

/** Undefined when there is no such layer, or what is there cannot be believed. */
export function readLayerMeta(file: string): LayerMeta | undefined {
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), LayerMetaSchema), textOfStored(file));
  return parsed.success ? parsed.output : undefined;
}

/** Whether notes that can be read have a seal that does not match them. An earlier version wrote none. Only a check asks: a run has no time for it. */
export function areNotesAltered(file: string): boolean {
  return isSealedText(textOfStored(file) ?? '') === false;
}

/** Whether the tree on disk is the one that was written: a power cut may have destroyed parts of it. Or the store was moved to a filesystem with other marks. */
export function isWhole(meta: LayerMeta, { root }: Pick<StorePaths, 'root'>): boolean {
  const hides = meta.whiteoutDirectories?.length || meta.opaque?.length;
  if (hides && (meta.marks === 'files') !== (unfitForUpper(root) !== undefined)) return false;
  // What was unpacked before the user had more ids is to be had better now.
  if (meta.ids === 'single' && idMapping().kind === 'full') return false;
  return meta.synced || meta.bootId === bootId();
}

/** What is to be known of a layer that was just unpacked. */
export function layerMeta(diffID: string, applied: AppliedLayer): LayerMeta {
  return {
    version: 1,
    diffID,
    entries: applied.entries,
    size: applied.uncompressedSize,
    blob: applied.blob,
    implied: [...applied.implied],
    opaque: [...applied.opaque],
    replaced: [...applied.replaced],
    whiteoutDirectories: [...applied.whiteoutDirectories],
    ...(applied.marks === 'files' ? { marks: 'files' } : {}),
    lowerLinks: [...applied.lowerLinks],
    ids: idMapping().kind,
    warnings: [...applied.warnings],
    bootId: bootId(),
    synced: false,
    unpackedAt: Date.now(),
  };
}

export async function writeLayerMeta(file: string, meta: LayerMeta): Promise<void> {
  await writeDurably(file, `${sealText(JSON.stringify(meta))}\n`);
}

/**
 * The notes about other blobs that a layer was unpacked from: the same content, compressed in another
 * way. They are separate files, because meta.json is a lock and must not be replaced.
 */
const NOTE = 'from-';

/** Records that a layer was unpacked from another blob, too. */
export async function noteBlob(layer: string, blob: NotedBlob): Promise<void> {
  await writeDurably(path.join(layer, `${NOTE}${blob.digest.slice('sha256:'.length)}`), JSON.stringify(blob));
}

/** The blobs that a layer was unpacked from. @param layer its directory */
export function notedBlobs(layer: string, meta: LayerMeta): NotedBlob[] {
  const others = readdirSync(layer)
    .filter((name) => name.startsWith(NOTE))
    .map((name) => v.safeParse(v.pipe(v.string(), v.parseJson(), NotedBlobSchema), textOfStored(path.join(layer, name))));
  return [...(meta.blob ? [meta.blob] : []), ...others.flatMap((each) => (each.success ? [each.output] : []))];
}
