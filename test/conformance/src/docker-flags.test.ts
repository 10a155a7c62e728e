import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { type ContainerState, type Containers, type DetachedSpec, ImageStore } from '@lamella/engine';
import { busyboxArchive, type DockerDaemon, dockerDaemon, requiresRoot, type ScratchDirectory, scratch, skip } from '@lamella-test/scratch';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';

/**
 * Words of `create` before the image; `{}` is a directory. Docker takes or refuses them, and then `docker inspect` says what they mean: ours has
 * to do the same, and to say the same.
 */
const CELLS: readonly (readonly string[])[] = [
  [],
  // Booleans, clusters, forms of values.
  ['--rm'],
  ['--rm=true'],
  ['--rm=false'],
  ['--rm=T'],
  ['--rm=maybe'],
  ['-it'],
  ['-ti=false'],
  ['-i=false', '-t=1'],
  ['--init=true'],
  ['--read-only=0'],
  ['--privileged=false'],
  ['-ite', 'A=1'],
  ['-itz'],
  ['--no-such'],
  ['-h'],
  ['--name'],
  ['---x'],
  ['--=x'],
  // Values that look like flags, and none.
  ['-e=VAR'],
  ['-eVAR=1'],
  ['-e', '-v=1'],
  ['--env', 'PASSED'],
  ['--env=PASSED'],
  ['-e', 'NOT_THERE'],
  ['-e', ''],
  ['-e', '=x'],
  ['-e', 'A B=c'],
  ['-e', 'A=1', '-e', 'A=2'],
  ['-e='],
  ['--env-file', '{}/env'],
  ['--env-file={}/env', '-e', 'A=flag'],
  ['--env-file', '{}/bad'],
  ['--env-file', '{}/none'],
  ['--env-file', '{}/noname'],
  ['--label', 'a=b', '-l', 'c', '--label=d==e'],
  ['--label', '=x'],
  ['-l', ''],
  ['--label-file', '{}/labels'],
  ['--label-file', '{}/labels', '-l', 'a=flag'],
  ['--hostname', 'box'],
  ['-h', 'box'],
  ['-hbox'],
  ['-h=box'],
  ['--hostname='],
  ['--name='],
  ['--name', 'named-1'],
  ['--name', '/named-2'],
  ['--name', '-x'],
  ['-u', '1:2'],
  ['-u', ''],
  ['-w', '/tmp'],
  ['-w='],
  ['-w', 'rel'],
  ['--entrypoint', '/bin/echo'],
  ['--entrypoint='],
  ['--', '-x'],
  // Numbers and sizes.
  ['--memory', '512m'],
  ['-m1g'],
  ['-m', '1.5g'],
  ['-m', '1b'],
  ['-m', '0'],
  ['-m', '8mb'],
  ['-m', '8 MiB'],
  ['-m', '-1'],
  ['-m', 'lots'],
  ['-m', '1x'],
  ['-m', '64m', '--memory-swap', '128m'],
  ['-m', '64m', '--memory-swap=-1'],
  ['--memory-swap', '-1'],
  ['-m', '64m', '--memory-swap', '32m'],
  ['--cpus=.5'],
  ['--cpus', '1.5'],
  ['--cpus', '0'],
  ['--cpus', '1/2'],
  ['--cpus', 'x'],
  ['--cpus', '1e-1'],
  ['--cpus', '-1'],
  ['-c', '512'],
  ['--cpu-shares=0'],
  ['--cpu-shares', 'x'],
  ['--cpuset-cpus', '0'],
  ['--cpuset-cpus='],
  ['--pids-limit', '0'],
  ['--pids-limit', '-1'],
  ['--pids-limit', '10'],
  ['--pids-limit', '0x10'],
  ['--pids-limit', '1.5'],
  ['--oom-score-adj', '-500'],
  ['--oom-score-adj', '1001'],
  ['--shm-size', '1m'],
  ['--shm-size', '0'],
  ['--shm-size=1.5g'],
  ['--shm-size', 'x'],
  ['--stop-timeout', '3'],
  ['--stop-timeout=-1'],
  ['--stop-timeout', '0x10'],
  ['--stop-timeout', '1s'],
  ['--stop-signal', 'SIGUSR1'],
  ['--stop-signal='],
  ['--ulimit', 'nofile=1024'],
  ['--ulimit', 'nofile=10:20', '--ulimit', 'nofile=30:40', '--ulimit=core=0'],
  ['--ulimit', 'nofile=20:10'],
  ['--ulimit', 'nofile=-1'],
  ['--ulimit', 'none=1'],
  ['--ulimit', 'nofile'],
  // Sets.
  ['--restart', 'no'],
  ['--restart', 'always'],
  ['--restart=on-failure'],
  ['--restart', 'on-failure:3'],
  ['--restart', 'unless-stopped'],
  ['--restart', 'on-failure:x'],
  ['--restart', 'sometimes'],
  ['--restart='],
  ['--restart', 'always:3'],
  ['--restart', 'on-failure:'],
  ['--restart', 'always', '--rm'],
  ['--network', 'none'],
  ['--net', 'host'],
  ['--net=none'],
  ['--network=host'],
  ['--cap-add', 'NET_ADMIN', '--cap-drop', 'cap_mknod'],
  ['--cap-add=all'],
  ['--cap-add', 'nothing'],
];

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
  detachedSpec(line: unknown): Promise<{ readonly containers: Containers; readonly spec: DetachedSpec }>;
  describeContainer(state: ContainerState, upper: string): unknown;
}

async function ownModules(): Promise<OwnModules> {
  const dist = path.join(path.dirname(createRequire(import.meta.url).resolve('lamella/package.json')), 'dist');
  const files = ['run/parse-run.js', 'run/run-detached.js', 'container/describe-container.js'];
  return Object.assign({}, ...(await Promise.all(files.map((file) => import(path.join(dist, file))))));
}

const IMAGE = ['busybox', 'sh', '-c', 'true', '--rm'];

test("flags mean what Docker's mean", async (context) => {
  requiresRoot(context);
  if (typeof docker === 'string') return skip(context, docker);
  const words = CELLS.map((argv) => argv.map((word) => word.replaceAll('{}', at.path)));
  vi.stubEnv('PASSED', 'on');
  vi.stubEnv('LAMELLA_ROOT', at.join('store'));
  const { env } = docker;
  const call = (args: readonly string[]): string => execFileSync('docker', args, { env: { ...env, PASSED: 'on' }, encoding: 'utf8', stdio: 'pipe' });
  call(['import', busyboxArchive(), 'busybox']);
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
  const { parseRun, detachedSpec, describeContainer } = await ownModules();
  const ours: (Inspected | undefined)[] = [];
  for (const argv of words)
    try {
      const { containers, spec } = await detachedSpec(await parseRun([...argv, ...IMAGE], 'create'));
      const container = await containers.create(spec);
      ours.push(describeContainer(await container.state(), container.upper) as Inspected);
    } catch (error) {
      // A mistake of the user's, told as one.
      expect(error).toMatchObject({ code: expect.stringMatching(/^[A-Z_]+$/), hint: expect.any(String) });
      ours.push(undefined);
    }
  const said = (all: readonly (Inspected | undefined)[]): unknown[] =>
    all.map((each, i) => [CELLS[i]?.join(' '), each ? facts(each, CELLS[i] as readonly string[]) : 'refused']);
  expect(said(ours)).toEqual(said(theirs));
});
