import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { type ContainerState, type Containers, type DetachedSpec, ImageStore } from '@lamella/engine';
import { busyboxArchive, type DockerDaemon, dockerDaemon, requiresRoot, type ScratchDirectory, scratch, skip } from '@lamella-test/scratch';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { FLAGS as ALL_FLAGS, TEMPLATES } from './docker-cells.js';

/** All in the long form; a third takes a few seconds. */
const FLAGS = ALL_FLAGS.filter((_, i) => process.env.LAMELLA_LONG || i % 3 === 0);
const PATIENCE = { timeout: 300_000 };

let at: ScratchDirectory;
let docker: DockerDaemon | string;

beforeAll(async () => {
  at = scratch();
  writeFileSync(at.join('env'), '\ufeff# comment\n\n  A=from file \nB\nPASSED\nC=a=b # c\r\n');
  writeFileSync(at.join('bad'), 'A B=c\n');
  writeFileSync(at.join('noname'), '=c\n');
  writeFileSync(at.join('labels'), '# comment\na=from file\nb\n');
  docker = await dockerDaemon(at);
});
afterAll(async () => {
  if (typeof docker !== 'string') await docker.close();
  vi.unstubAllEnvs();
  await at[Symbol.asyncDispose]();
});

interface Inspected {
  readonly Name: string;
  readonly Config: Readonly<Record<string, never>>;
  readonly HostConfig: Readonly<Record<string, never>>;
}

/** What is said of a container, in one form. */
function facts({ Name, Config: c, HostConfig: h }: Inspected, argv: readonly string[]): Record<string, unknown> {
  const set = <Value>(value: Value | null | undefined, none: Value): Value => value ?? none;
  const word = argv.join(' ');
  return {
    ...(/--name[ =]./.test(word) ? { name: Name.replace(/^\//, '') } : {}),
    ...(/-h[ =]?b|hostname ./.test(word) ? { hostname: c.Hostname } : {}),
    ...(/net/.test(word) ? { network: h.NetworkMode } : {}),
    // Docker also notes names that have no value here, and what a later value has replaced.
    env: Object.fromEntries(set<string[]>(c.Env, []).flatMap((each) => (/^(?:(?:PATH|HOSTNAME|HOME|TERM)=|[^=]*$)/.test(each) ? [] : [each.split(/=(.*)/s)]))),
    labels: set(c.Labels, {}),
    tty: c.Tty,
    stdin: c.OpenStdin,
    user: c.User,
    cwd: c.WorkingDir || '/',
    entrypoint: set<string[]>(c.Entrypoint, []).filter(Boolean),
    stop: [c.StopSignal || 'SIGTERM', set<number>(c.StopTimeout, 10)],
    rm: h.AutoRemove,
    readOnly: h.ReadonlyRootfs,
    privileged: h.Privileged,
    init: set(h.Init, false),
    restart: h.RestartPolicy && { ...(h.RestartPolicy as object), Name: (h.RestartPolicy as { Name: string }).Name || 'no' },
    memory: [h.Memory, h.Memory ? h.MemorySwap || h.Memory * 2 : 0],
    cpu: [h.NanoCpus, h.CpuShares, h.CpusetCpus],
    pids: Math.max(0, set<number>(h.PidsLimit, 0)),
    oom: h.OomScoreAdj,
    shm: h.ShmSize,
    ulimits: set<{ Name: string; Soft: number; Hard: number }[]>(h.Ulimits, [])
      .map(({ Name: name, Soft, Hard }) => `${name}=${Soft}:${Hard}`)
      .sort(),
    caps: [h.CapAdd, h.CapDrop].map((list) => set<string[]>(list, []).map((each) => each.replace(/^CAP_/, ''))),
  };
}

/** What the CLI makes of words, without a process for each. */
interface OwnModules {
  parseRun(argv: readonly string[], command: 'create'): Promise<unknown>;
  buildDetachedSpec(line: unknown): Promise<{ readonly containers: Containers; readonly spec: DetachedSpec }>;
  templateOf(source: string): (value: unknown) => { readonly plain: string };
  withMaps(value: object, paths: readonly string[]): unknown;
  describeContainer(state: ContainerState, upper: string): unknown;
}

async function ownModules(): Promise<OwnModules> {
  const dist = path.join(path.dirname(createRequire(import.meta.url).resolve('lamella/package.json')), 'dist');
  const files = ['run-flags/parse-run.js', 'run/run-detached.js', 'container/describe-container.js', 'template/fill.js', 'template/with-maps.js'];
  return Object.assign({}, ...(await Promise.all(files.map((file) => import(path.join(dist, file))))));
}

/** Calls docker, whose daemon has an image. */
function caller({ env }: DockerDaemon): (args: readonly string[]) => string {
  const call = (args: readonly string[]): string => execFileSync('docker', args, { env: { ...env, PASSED: 'on' }, encoding: 'utf8', stdio: 'pipe' });
  call(['import', busyboxArchive(), 'busybox']);
  return call;
}

const IMAGE = ['busybox', 'sh', '-c', 'true', '--rm'];

test("flags mean what Docker's mean", PATIENCE, async (context) => {
  requiresRoot(context);
  if (typeof docker === 'string') return skip(context, docker);
  const words = FLAGS.map((argv) => argv.map((word) => word.replaceAll('{}', at.path)));
  vi.stubEnv('PASSED', 'on');
  vi.stubEnv('LAMELLA_ROOT', at.join('store'));
  const call = caller(docker);
  const made = words.map((argv) => {
    try {
      return call(['create', ...argv, ...IMAGE]).trim();
    } catch {
      return undefined;
    }
  });
  const inspected = JSON.parse(call(['inspect', ...made.filter((id) => id !== undefined)])) as (Inspected & { readonly Id: string })[];
  call(['rm', ...made.filter((id) => id !== undefined)]);
  const theirs = made.map((made) => inspected.find(({ Id }) => Id === made));

  await new ImageStore(at.join('store')).import(busyboxArchive(), 'busybox');
  const { parseRun, buildDetachedSpec, describeContainer } = await ownModules();
  const ours: (Inspected | undefined)[] = [];
  for (const argv of words)
    try {
      const { containers, spec } = await buildDetachedSpec(await parseRun([...argv, ...IMAGE], 'create'));
      const container = await containers.create(spec);
      ours.push(describeContainer(await container.state(), container.upper) as Inspected);
    } catch (error) {
      // A mistake of the user's, told as one.
      expect(error).toMatchObject({ code: expect.stringMatching(/^[A-Z_]+$/), hint: expect.any(String) });
      ours.push(undefined);
    }
  const said = (all: readonly (Inspected | undefined)[]): unknown[] =>
    all.map((each, i) => [FLAGS[i]?.join(' '), each ? facts(each, FLAGS[i] as readonly string[]) : 'refused']);
  expect(said(ours)).toEqual(said(theirs));
});

/** Returns some fields: what is empty or unlimited is null in one version of Docker, and not there in another. */
function pick(value: object | undefined, ...names: readonly string[]): unknown[] {
  return names.map((name) => (value as Record<string, unknown>)[name] || (name === 'Tmpfs' ? {} : null));
}

/** Fields that Docker has and Lamella has not. The guide lists them, too. */
const LEFT_OUT = [
  ...['AppArmorProfile', 'ExecIDs', 'GraphDriver', 'HostnamePath', 'HostsPath', 'MountLabel', 'ProcessLabel', 'ResolvConfPath', 'SizeRootFs', 'SizeRw'],
  ...['ConsoleSize', 'CpuCount', 'CpuPercent', 'IOMaximumBandwidth', 'IOMaximumIOps', 'Isolation', 'KernelMemory', 'KernelMemoryTCP'].map(
    (name) => `HostConfig.${name}`,
  ),
  ...['MaskedPaths', 'ReadonlyPaths', 'Annotations', 'Mounts', 'StorageOpt', 'Sysctls'].map((name) => `HostConfig.${name}`),
  ...['Bridge', 'EndpointID', 'HairpinMode', 'LinkLocalIPv6Address', 'LinkLocalIPv6PrefixLen', 'SandboxID', 'SandboxKey'].map(
    (name) => `NetworkSettings.${name}`,
  ),
  ...['SecondaryIPAddresses', 'SecondaryIPv6Addresses'].map((name) => `NetworkSettings.${name}`),
  ...['Healthcheck', 'MacAddress', 'NetworkDisabled', 'ArgsEscaped', 'Shell'].map((name) => `Config.${name}`),
  'State.Health',
];

test("inspect has Docker's fields, with its types", PATIENCE, async (context) => {
  requiresRoot(context);
  if (typeof docker === 'string') return skip(context, docker);
  const store = at.join('inspected');
  vi.stubEnv('LAMELLA_ROOT', store);
  await new ImageStore(store).import(busyboxArchive(), 'busybox');
  const { parseRun, buildDetachedSpec, describeContainer } = await ownModules();
  const call = caller(docker);
  /** Of each field: the type, and null where there is nothing. */
  const typesOf = (value: object, prefix = ''): ReadonlyMap<string, string> =>
    new Map(
      Object.entries(value).flatMap(([name, each]: [string, unknown]): (readonly [string, string])[] => {
        const at = prefix + name;
        const isStruct = ['State', 'HostConfig', 'NetworkSettings', 'Config'].includes(at);
        return [[at, each === null ? 'null' : Array.isArray(each) ? 'list' : typeof each], ...(isStruct ? typesOf(each as object, `${at}.`) : [])];
      }),
    );
  const guide = readFileSync(path.join(import.meta.dirname, '../../../docs/guides/differences-from-docker.md'), 'utf8');
  for (const field of LEFT_OUT) expect.soft(guide).toContain(`\`${field}\``);
  const used = [
    '-v',
    `${at.path}:/v:ro`,
    '--tmpfs',
    '/t',
    '--cap-add',
    'net_admin',
    '--cap-drop',
    'CHOWN',
    '-m',
    '64m',
    '--pids-limit',
    '7',
    '-l',
    'x=y',
    '--rm',
  ];
  for (const flags of [[], used, ['--entrypoint', 'sh', '-w', '/tmp', '-e', 'A=b', '--restart', 'on-failure:3', '--security-opt', 'no-new-privileges']]) {
    const id = call(['create', '--network', 'none', ...flags, 'busybox', 'sh', '-c', 'true']).trim();
    const [theirs] = JSON.parse(call(['inspect', id])) as [Inspected & Record<string, object>];
    call(['rm', id]);
    const { containers, spec } = await buildDetachedSpec(await parseRun([...flags, 'busybox', 'sh', '-c', 'true'], 'create'));
    const container = await containers.create(spec);
    const ours = describeContainer(await container.state(), container.upper) as Inspected & Record<string, object>;
    const [known, own] = [typesOf(theirs), typesOf(ours)];
    for (const [field, type] of known) {
      if (LEFT_OUT.includes(field)) continue;
      // What is empty is null in one version of Docker, and an empty list in another.
      const isAlike = type === own.get(field) || [type, own.get(field)].every((each) => ['null', 'list', 'object'].includes(each ?? ''));
      expect.soft([field, own.get(field)]).toEqual([field, isAlike ? own.get(field) : type]);
    }
    const same = (each: Readonly<Record<string, object>>): unknown => [
      pick(each.State, 'StartedAt', 'FinishedAt', 'ExitCode', 'Pid', 'Error'),
      pick(each.Config, 'Cmd', 'Entrypoint', 'OnBuild', 'Domainname'),
      pick(each.HostConfig, 'Binds', 'CapAdd', 'CapDrop', 'SecurityOpt', 'PidsLimit', 'Tmpfs'),
      // Docker lists those of --tmpfs in HostConfig only.
      (each.Mounts as object[]).filter((mount) => pick(mount, 'Type')[0] !== 'tmpfs').map((mount) => pick(mount, 'Type', 'Destination', 'RW', 'Source')),
    ];
    expect.soft(same(ours)).toEqual(same(theirs));
  }
});

test("templates print what Docker's print", PATIENCE, async (context) => {
  requiresRoot(context);
  if (typeof docker === 'string') return skip(context, docker);
  const call = caller(docker);
  const flags = ['--label', 'app=web', '-l', 'b=2', '-e', 'A=1', '-e', 'B=two', '-m', '64m', '-v', `${at.path}:/data`];
  const id = call(['create', ...flags, 'busybox', 'sh', '-c', 'true']).trim();
  const [inspected] = JSON.parse(call(['inspect', id])) as [object];
  const theirs = TEMPLATES.map((template) => {
    try {
      return call(['inspect', '--format', template, id]).replace(/\n$/, '');
    } catch {
      return 'refused';
    }
  });
  call(['rm', id]);
  const { templateOf, withMaps } = await ownModules();
  const data = withMaps(inspected, ['Config.Labels']);
  const ours = TEMPLATES.map((template) => {
    try {
      return templateOf(template)(data).plain;
    } catch (error) {
      expect(error).toMatchObject({ code: 'USAGE' });
      return 'refused';
    }
  });
  const said = (all: readonly string[]): unknown[] => all.map((each, i) => [TEMPLATES[i], each]);
  expect(said(ours)).toEqual(said(theirs));
});
