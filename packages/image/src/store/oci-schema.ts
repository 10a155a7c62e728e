import { jsonProblem, parseJson } from '@lamella/syscall';
import * as v from 'valibot';
import type { ImageErrorCode } from '../model/error-codes.js';
import { ImageError } from '../model/image-error.js';

/** The parts of OCI image-spec 1.1 documents that we read; what else they say stays as it is. */
export interface OciDescriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
  readonly platform?: OciPlatform | undefined;
}

/** The media types of manifests and indexes, by the image specification and by Docker. */
export const MEDIA_TYPES = {
  index: ['application/vnd.oci.image.index.v1+json', 'application/vnd.docker.distribution.manifest.list.v2+json'],
  manifest: ['application/vnd.oci.image.manifest.v1+json', 'application/vnd.docker.distribution.manifest.v2+json'],
  layer: {
    none: 'application/vnd.oci.image.layer.v1.tar',
    gzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
    zstd: 'application/vnd.oci.image.layer.v1.tar+zstd',
  },
  config: 'application/vnd.oci.image.config.v1+json',
} as const;

interface OciPlatform {
  readonly architecture: string;
  readonly os: string;
  readonly variant?: string | undefined;
}

export interface OciIndex {
  readonly schemaVersion: 2;
  readonly manifests: readonly OciDescriptor[];
  readonly annotations?: Readonly<Record<string, string>> | undefined;
}

export interface OciManifest {
  readonly schemaVersion: 2;
  readonly mediaType?: string | undefined;
  readonly config: OciDescriptor;
  readonly layers: readonly OciDescriptor[];
}

/**
 * What builders leave out or say as `null` is missing here, as it is for Docker. Of those that must be there nothing is
 * left: an image without layers has no diffIDs.
 */
export interface OciConfig {
  readonly architecture?: string | undefined;
  readonly os?: string | undefined;
  readonly variant?: string | undefined;
  readonly created?: string | undefined;
  readonly author?: string | undefined;
  readonly config?: OciProcessConfig | undefined;
  readonly rootfs: { readonly type?: string | undefined; readonly diff_ids: readonly string[] };
  readonly history?: readonly OciHistory[] | undefined;
}

interface OciHistory {
  readonly created?: string | undefined;
  readonly created_by?: string | undefined;
  readonly author?: string | undefined;
  readonly comment?: string | undefined;
  readonly empty_layer?: boolean | undefined;
}

interface OciProcessConfig {
  readonly User?: string | undefined;
  readonly Env?: readonly string[] | undefined;
  readonly Entrypoint?: readonly string[] | undefined;
  readonly Cmd?: readonly string[] | undefined;
  readonly WorkingDir?: string | undefined;
  readonly StopSignal?: string | undefined;
  /** The keys are paths. */
  readonly Volumes?: Readonly<Record<string, unknown>> | undefined;
  /** The keys are `PORT/PROTOCOL`. */
  readonly ExposedPorts?: Readonly<Record<string, unknown>> | undefined;
  readonly Labels?: Readonly<Record<string, string>> | undefined;
}

/**
 * Builders write, and Docker reads, by Go's encoding/json: `null` is as good as missing, anywhere; the case of a key matters
 * only when there are two of them.
 */
const optional = <Output>(schema: v.GenericSchema<unknown, Output>): v.GenericSchema<unknown, Output | undefined> =>
  v.pipe(
    v.nullish(schema),
    v.transform((found) => found ?? undefined),
  );
/** The default is valibot's own: a transformation is not asked about a key that is missing. */
const or = <Output>(schema: v.GenericSchema<unknown, Output>, missing: NoInfer<Output>): v.GenericSchema<unknown, Output> =>
  v.nullish(schema, () => missing) as v.GenericSchema<unknown, Output>;
const isNoList = v.check((given) => !Array.isArray(given), 'Invalid type: Expected Object but received Array');
const map = <Value>(value: v.GenericSchema<unknown, Value>): v.GenericSchema<unknown, Record<string, Value>> =>
  v.pipe(v.unknown(), isNoList, v.record(v.string(), value)) as v.GenericSchema<unknown, Record<string, Value>>;

function object<Entries extends v.ObjectEntries>(entries: Entries): v.GenericSchema<unknown, v.InferOutput<v.LooseObjectSchema<Entries, undefined>>> {
  const keys = new Map(Object.keys(entries).map((key) => [key.toLowerCase(), key]));
  return v.pipe(
    v.unknown(),
    isNoList,
    v.transform((given) => {
      if (typeof given !== 'object' || given === null) return given;
      const found: [string, unknown][] = Object.entries(given).map(([key, value]) => {
        const known = keys.get(key.toLowerCase());
        return [known !== undefined && !Object.hasOwn(given, known) ? known : key, value];
      });
      return Object.fromEntries(found);
    }),
    v.looseObject(entries),
  ) as never;
}

const Digest = v.pipe(v.string(), v.regex(/^sha256:[0-9a-f]{64}$/, 'it is not sha256: and 64 hexadecimal digits'));
const Text = optional(v.string());
const List = v.array(or(v.string(), ''));
const Words = optional(List);
/** Docker's `strslice`: one string is a list of one. */
const Command = optional(
  v.union([
    List,
    v.pipe(
      v.string(),
      v.transform((word) => [word]),
    ),
  ]),
);
const Keys = optional(map(v.unknown()));
const Texts = optional(map(or(v.string(), '')));
/** A time that nobody can read tells nothing. */
const Time = v.pipe(
  Text,
  v.transform((text) => (text !== undefined && Number.isNaN(Date.parse(text)) ? undefined : text)),
);

const Descriptor: v.GenericSchema<unknown, OciDescriptor> = object({
  mediaType: or(v.string(), ''),
  digest: Digest,
  size: v.number(),
  annotations: Texts,
  platform: optional(object({ architecture: or(v.string(), ''), os: or(v.string(), ''), variant: Text })),
});

export const IndexSchema: v.GenericSchema<unknown, OciIndex> = object({
  schemaVersion: or(v.literal(2), 2),
  manifests: or(v.array(Descriptor), []),
  annotations: Texts,
});

export const ManifestSchema: v.GenericSchema<unknown, OciManifest> = object({
  schemaVersion: or(v.literal(2), 2),
  mediaType: Text,
  config: Descriptor,
  layers: or(v.array(Descriptor), []),
});

const Step: v.GenericSchema<unknown, OciHistory> = object({
  created: Time,
  created_by: Text,
  author: Text,
  comment: Text,
  empty_layer: optional(v.boolean()),
});

export const ConfigSchema: v.GenericSchema<unknown, OciConfig> = object({
  architecture: Text,
  os: Text,
  variant: Text,
  created: Time,
  author: Text,
  config: optional(
    object({
      User: Text,
      Env: Words,
      Entrypoint: Command,
      Cmd: Command,
      WorkingDir: Text,
      StopSignal: Text,
      Volumes: Keys,
      ExposedPorts: Keys,
      Labels: Texts,
    }),
  ),
  rootfs: or(object({ type: Text, diff_ids: or(v.array(Digest), []) }), { type: undefined, diff_ids: [] }),
  history: optional(v.array(or(Step, {}))),
});

/** Where a document is from: what its error is called, and what helps. */
export interface DocumentOrigin {
  readonly code: ImageErrorCode;
  readonly hint: string;
}

const OF_THE_STORE: DocumentOrigin = { code: 'STORE_CORRUPT', hint: 'Remove the image (lamella rmi) and bring it in again.' };
/** It comes from somewhere else, and is not in the store yet. */
export const OF_A_SOURCE: DocumentOrigin = {
  code: 'SOURCE_INVALID',
  hint: 'Docker cannot read it either: build or save the image again, and tell its maker if it stays so.',
};

/**
 * Reads a JSON document of an image.
 *
 * @param file what messages call it
 * @throws ImageError `STORE_CORRUPT`, or what its origin says, naming the file and the place in it
 */
export function parseDocument<Document>(
  schema: v.GenericSchema<unknown, Document>,
  text: string,
  file: string,
  origin: DocumentOrigin = OF_THE_STORE,
): Document {
  const invalid = (why: string, cause?: unknown): ImageError =>
    new ImageError({ code: origin.code, message: `${file} cannot be read: ${why}`, hint: origin.hint, ...(cause === undefined ? {} : { cause }) });
  let json: unknown;
  try {
    json = parseJson(text);
  } catch (cause) {
    throw invalid(jsonProblem(cause), cause);
  }
  const parsed = v.safeParse(schema, json);
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  throw invalid(`${v.getDotPath(issue) ?? 'document'}: ${issue.message}`);
}
