import { type OptionReader, optionReader, shapeOf, take } from '@lamella/syscall';
import type { AddOptions } from '../model/add-options.js';
import type { ApplyOptions } from '../model/apply-options.js';
import type { CheckOptions } from '../model/check-options.js';
import type { CommitOptions } from '../model/commit-options.js';
import { ImageError } from '../model/image-error.js';
import type { ImportOptions } from '../model/import-options.js';
import type { LoadOptions } from '../model/load-options.js';
import type { Platform } from '../model/platform.js';
import type { PullOptions } from '../model/pull-options.js';
import type { PushOptions } from '../model/push-options.js';
import type { Credentials } from '../model/registry-credentials.js';
import type { TreeArchiveOptions } from '../model/tree-archive-options.js';

/** Reads what public functions of this package are given. */
export const read: OptionReader = optionReader(ImageError);

/** Names and paths: which are valid is said where they are parsed. */
export const STRING: take.Check<string> = take.checkOf('a string', (value) => typeof value === 'string');

const add = (): take.Shape<AddOptions> => ({ platform: PLATFORM, signal: take.abortSignal, onProgress: take.functionOf(), trusted: take.flag });
const PLATFORM = take.objectOf<Platform>({ os: take.required(take.text), architecture: take.required(take.text), variant: take.text });
type Login = Extract<Credentials, { readonly username: string }>;
type Identity = Extract<Credentials, { readonly identityToken: string }>;
type Bearer = Extract<Credentials, { readonly registryToken: string }>;
const CREDENTIALS: take.Check<Credentials> = take.either(
  take.objectOf<Login>({ username: take.required(STRING), password: take.required(STRING) }),
  take.either(take.objectOf<Identity>({ identityToken: take.required(STRING) }), take.objectOf<Bearer>({ registryToken: take.required(STRING) })),
);

export const RESOLVE_OPTIONS: take.Check<{ readonly platform?: Platform }> = shapeOf<{ readonly platform?: Platform }>(() => ({ platform: PLATFORM }));
export const ADD_OPTIONS: take.Check<AddOptions> = shapeOf<AddOptions>(add);
export const LOAD_OPTIONS: take.Check<LoadOptions> = shapeOf<LoadOptions>(() => ({ ...add(), name: STRING }));
export const PULL_OPTIONS: take.Check<PullOptions> = shapeOf<PullOptions>(() => ({
  ...add(),
  tlsVerify: take.flag,
  credentials: CREDENTIALS,
  onWarning: take.functionOf(),
}));
export const PUSH_OPTIONS: take.Check<PushOptions> = shapeOf<PushOptions>(() => ({
  signal: take.abortSignal,
  tlsVerify: take.flag,
  credentials: CREDENTIALS,
  onProgress: take.functionOf(),
  onWarning: take.functionOf(),
}));
export const IMPORT_OPTIONS: take.Check<ImportOptions> = shapeOf<ImportOptions>(() => ({
  signal: take.abortSignal,
  maxEntries: take.whole(0),
  onProgress: take.functionOf(),
}));
export const COMMIT_OPTIONS: take.Check<CommitOptions> = shapeOf<CommitOptions>(() => ({
  signal: take.abortSignal,
  message: STRING,
  author: STRING,
  changes: take.listOf(STRING),
  timestamp: take.whole(-Number.MAX_SAFE_INTEGER),
  createdBy: STRING,
}));
export const CHECK_OPTIONS: take.Check<CheckOptions> = shapeOf<CheckOptions>(() => ({ repair: take.flag, quick: take.flag, force: take.flag }));
export const PUT_OPTIONS: take.Check<{ readonly keepOwners?: boolean }> = shapeOf<{ readonly keepOwners?: boolean }>(() => ({ keepOwners: take.flag }));
export const TREE_OPTIONS: take.Check<TreeArchiveOptions> = shapeOf<TreeArchiveOptions>(() => ({
  layer: take.objectOf<NonNullable<TreeArchiveOptions['layer']>>({ marks: take.required(take.oneOf('trusted', 'user', 'files')) }),
  mtime: take.whole(-Number.MAX_SAFE_INTEGER),
  seen: take.flag,
  explain: take.functionOf(),
}));
export const APPLY_OPTIONS: take.Check<ApplyOptions> = shapeOf<ApplyOptions>(() => ({
  signal: take.abortSignal,
  onProgress: take.functionOf(),
  maxEntries: take.whole(0),
  expectedSize: take.whole(0),
  tee: take.functionOf(),
  stacked: take.flag,
  isPromised: take.flag,
  lowerNames: take.checkOf('names of directories and others of the lower layers', (value) => typeof value === 'object' && value !== null),
}));
/** Names of images, or places. */
export const NAMES: take.Check<readonly string[]> = take.listOf(STRING);
export const FORMAT: take.Check<'docker-archive' | 'oci-archive'> = take.oneOf('docker-archive', 'oci-archive');
