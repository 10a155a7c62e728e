import { createWriteStream, mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { Containers, ImageStore, RunSpec } from '@lamella/engine';

/** What command lines are about: each gets a container or an image that no other one has. */
export interface World {
  readonly containers: Containers;
  readonly images: ImageStore;
  /** The image that its containers are of. */
  readonly image: string;
  /** The archive of a root filesystem. */
  readonly archive: string;
  /** A directory for files. */
  readonly directory: string;
  /** `HOST:PORT` of a registry that has `app`, where there is one. */
  readonly registry: string | undefined;
  /** More of what containers are made of. */
  readonly spec?: Partial<RunSpec>;
  /** What they write, as a shell's script. */
  readonly script?: string;
  /** What a file of theirs is called. */
  readonly fileName?: string;
}

/** How many names were given. */
let given = 0;

/** A container's id, in a state. */
export async function fresh({ containers, image, spec, script = 'echo out; echo text >/new' }: World, state: 'created' | 'running' | 'ended'): Promise<string> {
  const of = (args: readonly string[]): RunSpec & { readonly image: string } => ({ image, ...spec, args });
  if (state === 'created') return (await containers.create(of(['sh', '-c', script]))).id;
  const { container } = await containers.run(of(['sh', '-c', state === 'running' ? `${script}; sleep 1000 & wait` : script]));
  if (state === 'ended') await container.wait();
  return container.id;
}

async function named({ images, image }: World): Promise<string> {
  const name = `image-${++given}`;
  await images.tag(image, name);
  return name;
}

/** A checkpoint's container. */
async function checkpointed(world: World): Promise<string> {
  const id = await fresh(world, 'ended');
  await (await world.containers.get(id)).checkpoint(world.script ?? 'as it is');
  return id;
}

type Words = (world: World) => Promise<readonly string[] | undefined>;

/**
 * A command line for each command that writes its result to stdout, by its id in oclif's manifest. Nothing where the world has not what it
 * takes.
 */
export const PRINTING: Readonly<Record<string, Words>> = {
  run: async ({ image }) => ['run', '--explain', image, 'true'],
  create: async ({ image }) => ['create', image],
  start: async (world) => ['start', await fresh(world, 'created')],
  ps: async (world) => ['ps', '-a', '--filter', `id=${await fresh(world, 'ended')}`],
  logs: async (world) => ['logs', await fresh(world, 'ended')],
  stop: async (world) => ['stop', '-t', '0', await fresh(world, 'running')],
  restart: async (world) => ['restart', '-t', '0', await fresh(world, 'running')],
  kill: async (world) => ['kill', await fresh(world, 'running')],
  pause: async (world) => ['pause', await fresh(world, 'running')],
  unpause: async (world) => {
    const id = await fresh(world, 'running');
    await (await world.containers.get(id)).pause();
    return ['unpause', id];
  },
  wait: async (world) => ['wait', await fresh(world, 'ended')],
  rm: async (world) => ['rm', await fresh(world, 'created')],
  'container:prune': async (world) => {
    // Others have theirs in the world's store.
    const root = path.join(world.directory, `empty-${++given}`);
    return ['container', 'prune', '--root', root];
  },
  inspect: async (world) => ['inspect', await fresh(world, 'ended')],
  cp: async (world) => ['cp', `${await fresh(world, 'ended')}:/new`, '-'],
  changes: async (world) => ['changes', await fresh(world, 'ended')],
  apply: async (world) => {
    const source = path.join(world.directory, `applied-${++given}`);
    mkdirSync(source);
    const volumes = [{ source, destination: '/applied', overlay: true }] as const;
    return [
      'apply',
      '--dry-run',
      await fresh({ ...world, spec: { ...world.spec, volumes }, script: `cd /applied; echo >'${world.fileName ?? 'new'}'` }, 'ended'),
    ];
  },
  commit: async (world) => ['commit', await fresh(world, 'ended'), `commit-${++given}`],
  export: async (world) => ['export', await fresh(world, 'ended')],
  checkpoint: async (world) => ['checkpoint', await fresh(world, 'ended')],
  rollback: async (world) => ['rollback', await checkpointed(world)],
  fork: async (world) => ['fork', await fresh(world, 'ended')],
  history: async (world) => ['history', await checkpointed(world)],
  top: async (world) => ['top', await fresh(world, 'running')],
  stats: async (world) => ['stats', '--no-stream', await fresh(world, 'running')],
  events: async (world) => {
    const id = await fresh(world, 'ended');
    return ['events', '--since', '1h', '--until', '0s', '--filter', `container=${id}`];
  },
  pull: async ({ registry }) => (registry === undefined ? undefined : ['pull', `${registry}/app`]),
  push: async (world) => {
    if (!world.registry) return undefined;
    const name = `${world.registry}/pushed-${++given}`;
    await world.images.tag(world.image, name);
    return ['push', name];
  },
  login: async ({ registry }) => (registry === undefined ? undefined : ['login', registry, '-u', 'me', '--password-stdin']),
  import: async ({ archive }) => ['import', archive, `import-${++given}`],
  load: async (world) => {
    const file = path.join(world.directory, `load-${++given}.tar`);
    await world.images.save([world.image], createWriteStream(file), 'docker-archive');
    return ['load', file];
  },
  save: async ({ image }) => ['save', image],
  images: async () => ['images'],
  'image:inspect': async ({ image }) => ['image', 'inspect', image],
  'image:history': async ({ image }) => ['image', 'history', image],
  'image:prune': async () => ['image', 'prune'],
  rmi: async (world) => ['rmi', await named(world)],
  sweep: async () => ['sweep'],
  'system:df': async () => ['system', 'df'],
  'system:check': async () => ['system', 'check'],
  doctor: async () => ['doctor'],
  autocomplete: async () => ['autocomplete'],
  'autocomplete:bash': async () => ['autocomplete', 'bash'],
  'autocomplete:fish': async () => ['autocomplete', 'fish'],
};

/** Commands whose stdout is not theirs, and why. */
export const NOT_PRINTING: Readonly<Record<string, string>> = {
  try: 'stdout is the command’s; what it says itself goes to stderr',
  exec: 'stdout is the command’s',
  attach: 'a session, tested by itself',
  review: 'it needs a terminal',
  port: 'it prints ports only, of a container in the host’s network',
  plugins: 'where there are none it prints nothing',
  'plugins:install': 'npm is called, by plugins.test.ts',
  'plugins:link': 'it changes which commands there are, for plugins.test.ts',
  'plugins:uninstall': 'npm is called, by plugins.test.ts',
  'plugins:update': 'npm is called, by plugins.test.ts',
  rename: 'it prints nothing',
  tag: 'it prints nothing',
  logout: 'it prints where it was logged in, and there it is not',
};

/** What oclif and its plugins print. */
export const OTHERS: readonly (readonly string[])[] = [['--version'], ['--help'], ['help', 'run'], ['ps', '--help'], ['run', '--help']];

/** The commands there are, by oclif's manifest, and whether they take --json. */
export function commands(manifest: string): readonly { readonly id: string; readonly json: boolean }[] {
  const known = JSON.parse(readFileSync(manifest, 'utf8')) as { commands: Record<string, { flags: object }> };
  return Object.entries(known.commands).map(([id, { flags }]) => ({ id, json: 'json' in flags }));
}
