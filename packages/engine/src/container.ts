import type { Readable, Writable } from 'node:stream';
import { wasOomKilled } from '@lamella/cgroup';
import { sweep } from '@lamella/cleanup';
import { type Image, ImageError, ImageStore, isPlace, type LayerProgress } from '@lamella/image';
import { launch, type ProcessOptions, type ProcessResult } from '@lamella/namespace';
import { hasLowerdirPlus, methodFor } from '@lamella/overlay';
import type { Program } from '@lamella/syscall';
import { confinement } from './confinement.js';
import { defaultRoot } from './default-root.js';
import { explainFailure } from './explain-failure.js';
import { type Lowers, type Plan, plan, prepareRoot } from './plan.js';
import type { RunSpec } from './run-spec.js';
import type { UnpackOptions } from './workspace.js';

/** How a container ended. */
export interface RunResult extends ProcessResult {
  readonly id: string;
  /** Whether the kernel killed a process of it because its memory had run out. */
  readonly oomKilled: boolean;
  /** Absolute path of the kept upper directory. */
  readonly kept: string | undefined;
}

export interface RunOptions extends ProcessOptions {
  /** Told of the unpacking of a workspace's image. */
  readonly onProgress?: UnpackOptions['onProgress'];
  /** Told of the layers of an image that is fetched. */
  readonly onPull?: (progress: LayerProgress) => void;
}

/**
 * A running container. Its mounts are its own and go with it; disposing kills what still runs and
 * resolves when nothing of it is left.
 */
export interface Container extends AsyncDisposable {
  readonly id: string;
  readonly stdin: Writable | null;
  readonly stdout: Readable | null;
  readonly stderr: Readable | null;
  /** The host's pid of its init, once the command has been executed; undefined if it never is. */
  readonly started: Promise<number | undefined>;
  readonly result: Promise<RunResult>;
  /** Absolute path, on the host, of what it changed. */
  readonly upper: string;
  /** Where the host sees the merged view while it runs; undefined when it never started. */
  merged(): Promise<string | undefined>;
  kill(signal?: NodeJS.Signals | number): void;
  resize(rows: number, columns: number): void;
}

/**
 * Start a command in a new container of an image.
 *
 * @throws EngineError, ImageError, NamespaceError before anything was made; what fails later
 * rejects `result`, and has released everything by then
 */
export async function createContainer(spec: RunSpec, options: RunOptions = {}): Promise<Container> {
  const root = spec.root ?? defaultRoot();
  prepareRoot(root);
  await sweep(`${root}/containers`);
  const decided = await decide(spec, options, root);
  let events = '';
  const running = launch(decided.program, decided.args, options, (data) => {
    events += data.toString('latin1');
  });
  const { stack, id } = decided;
  const upper = stack.upperdir ?? '';

  const finish = async (): Promise<RunResult> => {
    try {
      return { ...(await running.result), id, oomKilled: wasOomKilled(events), kept: spec.keep ? upper : undefined };
    } catch (error) {
      throw await explainFailure(error, decided, spec.workspace);
    }
  };
  const result = finish();
  let settled = false;
  const ended = result
    .then(
      () => undefined,
      () => undefined,
    )
    .then(() => {
      settled = true;
    });
  return {
    id,
    stdin: running.stdin,
    stdout: running.stdout,
    stderr: running.stderr,
    started: running.started,
    result,
    upper,
    async merged() {
      const pid = await running.started;
      if (pid === undefined) return undefined;
      return spec.workspace && process.geteuid?.() === 0 ? stack.merged : `/proc/${pid}/root`;
    },
    kill: running.kill,
    resize: running.resize,
    async [Symbol.asyncDispose]() {
      if (!settled) running.kill('SIGKILL');
      await ended;
    },
  };
}

/** Run a command in a new container to its end. */
export async function run(spec: RunSpec, options: RunOptions = {}): Promise<RunResult> {
  return (await createContainer(spec, options)).result;
}

/** The program that {@link run} would run, for reading. A workspace's image is unpacked for it. */
export async function explainRun(spec: RunSpec, options: RunOptions = {}): Promise<Program> {
  const root = spec.root ?? defaultRoot();
  prepareRoot(root);
  return (await decide(spec, options, root)).program;
}

async function decide(spec: RunSpec, options: RunOptions, root: string): Promise<Plan> {
  const confined = await confinement(spec);
  const lowers = spec.workspace === undefined ? await fromStore(spec, options, root) : await fromWorkspace(spec.workspace, spec.image, options);
  // Only stacks with more option text than a page need to know.
  const probe = { lowerdirs: lowers.trees, merged: '/' };
  const lowerdirPlus = methodFor(probe, { lowerdirPlus: false }) !== 'mount' && (await hasLowerdirPlus());
  return plan(spec, root, lowers, { lowerdirPlus }, confined);
}

async function fromStore(spec: RunSpec, options: RunOptions, root: string): Promise<Lowers> {
  const store = new ImageStore(root);
  const { layers, config } = await resolve(store, spec, options);
  return { trees: layers.map((layer) => layer.path), locks: layers.map((layer) => layer.lock), config };
}

async function resolve(store: ImageStore, { image, pull = 'never', tlsVerify }: RunSpec, options: RunOptions): Promise<Image> {
  const fetch = async (): Promise<Image> => {
    await store.pull(image, {
      ...(options.signal ? { signal: options.signal } : {}),
      ...(tlsVerify === undefined ? {} : { tlsVerify }),
      ...(options.onPull ? { onProgress: options.onPull } : {}),
    });
    return store.resolve(image);
  };
  const bring = (): Promise<Image | undefined> =>
    store.bring(image, { ...(options.signal ? { signal: options.signal } : {}), ...(options.onPull ? { onProgress: options.onPull } : {}) });
  if (isPlace(image)) {
    const brought = await bring();
    if (brought) return brought;
  }
  if (pull === 'always') return fetch();
  try {
    return await store.resolve(image);
  } catch (error) {
    // A path without a / or . at its beginning; what is in the store by that name comes first.
    const brought = await bring();
    if (brought) return brought;
    if (pull !== 'missing' || !(error instanceof ImageError) || error.code !== 'IMAGE_NOT_FOUND') throw error;
    try {
      return await fetch();
    } catch (cause) {
      // By its shape: in a bundle, what is loaded late brings a class of its own.
      const { code, message: why, hint } = cause as { code?: unknown; message: string; hint?: unknown };
      if (typeof code !== 'string' || typeof hint !== 'string') throw cause;
      const message = `there is no image '${image}' in ${store.paths.root}, and fetching it fails: ${why}`;
      throw new ImageError({ code, message, hint: `${hint} Or import one: lamella import FILE ${image}`, cause });
    }
  }
}

async function fromWorkspace(workspace: string, image: string, options: RunOptions): Promise<Lowers> {
  // Unpacking is loaded by who unpacks.
  const { workspaceImage } = await import('./workspace.js');
  const tree = await workspaceImage(workspace, image, {
    ...(options.signal ? { signal: options.signal } : {}),
    ...(options.onProgress ? { onProgress: options.onProgress } : {}),
  });
  return { trees: [tree], locks: [], config: { env: [], entrypoint: [], cmd: [] } };
}
