import { jsonProblem } from '@lamella/syscall';
import * as v from 'valibot';
import { ImageError } from '../image-error.js';

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

export interface OciConfig {
  readonly architecture: string;
  readonly os: string;
  readonly created?: string | undefined;
  readonly author?: string | undefined;
  readonly config?: OciProcessConfig | null | undefined;
  readonly rootfs: { readonly type: 'layers'; readonly diff_ids: readonly string[] };
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
  readonly Env?: readonly string[] | null | undefined;
  readonly Entrypoint?: readonly string[] | null | undefined;
  readonly Cmd?: readonly string[] | null | undefined;
  readonly WorkingDir?: string | undefined;
  readonly StopSignal?: string | undefined;
  /** The keys are paths. */
  readonly Volumes?: Readonly<Record<string, unknown>> | null | undefined;
  /** The keys are `PORT/PROTOCOL`. */
  readonly ExposedPorts?: Readonly<Record<string, unknown>> | null | undefined;
  readonly Labels?: Readonly<Record<string, string>> | null | undefined;
}

const Digest = v.pipe(v.string(), v.regex(/^sha256:[0-9a-f]{64}$/));
const Words = v.optional(v.nullable(v.array(v.string())));
const Text = v.optional(v.string());

const Descriptor = v.looseObject({
  mediaType: v.string(),
  digest: Digest,
  size: v.number(),
  annotations: v.optional(v.record(v.string(), v.string())),
  platform: v.optional(v.looseObject({ architecture: v.string(), os: v.string(), variant: Text })),
});

export const IndexSchema: v.GenericSchema<unknown, OciIndex> = v.looseObject({
  schemaVersion: v.literal(2),
  manifests: v.array(Descriptor),
  annotations: v.optional(v.record(v.string(), v.string())),
});

export const ManifestSchema: v.GenericSchema<unknown, OciManifest> = v.looseObject({
  schemaVersion: v.literal(2),
  mediaType: Text,
  config: Descriptor,
  layers: v.array(Descriptor),
});

export const ConfigSchema: v.GenericSchema<unknown, OciConfig> = v.looseObject({
  architecture: v.string(),
  os: v.string(),
  created: Text,
  author: Text,
  config: v.optional(
    v.nullable(
      v.looseObject({
        User: Text,
        Env: Words,
        Entrypoint: Words,
        Cmd: Words,
        WorkingDir: Text,
        StopSignal: Text,
        Volumes: v.optional(v.nullable(v.record(v.string(), v.unknown()))),
        ExposedPorts: v.optional(v.nullable(v.record(v.string(), v.unknown()))),
        Labels: v.optional(v.nullable(v.record(v.string(), v.string()))),
      }),
    ),
  ),
  rootfs: v.looseObject({ type: v.literal('layers'), diff_ids: v.array(Digest) }),
  history: v.optional(v.array(v.looseObject({ created: Text, created_by: Text, author: Text, comment: Text, empty_layer: v.optional(v.boolean()) }))),
});

/**
 * Read a JSON document of the store.
 *
 * @throws ImageError `STORE_CORRUPT` naming the file
 */
export function parseDocument<Document>(schema: v.GenericSchema<unknown, Document>, text: string, file: string, hint: string = REMOVE): Document {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw corrupt(file, jsonProblem(cause), hint, cause);
  }
  const parsed = v.safeParse(schema, json);
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  throw corrupt(file, `${v.getDotPath(issue) ?? 'document'}: ${issue.message}`, hint, undefined);
}

const REMOVE = 'Remove the image (lamella rmi) and import it again.';

function corrupt(file: string, why: string, hint: string, cause: unknown): ImageError {
  return new ImageError({
    code: 'STORE_CORRUPT',
    message: `${file} cannot be read: ${why}`,
    hint,
    ...(cause === undefined ? {} : { cause }),
  });
}
