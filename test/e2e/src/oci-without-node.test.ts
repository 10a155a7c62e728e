import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { constants } from 'node:os';
import path from 'node:path';
import { OCI_RUNTIME, type OciBundle, type OciResult, ociBundle, requiresRoot, type ScratchDirectory, scratch, until } from '@lamella-test/scratch';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

/**
 * The native launcher runs some commands of lamella-oci without Node, from a record. Each command is run both ways on a
 * container in each state, and must do the same.
 */

/** Other checkouts may run the same test on this machine. */
const CGROUP = `/lamella-test-oci-${process.pid}`;
const PLACES = ['/sys/fs/cgroup', '/sys/fs/cgroup/freezer', '/sys/fs/cgroup/pids'];

interface Way {
  readonly name: 'native' | 'node';
  readonly bundle: OciBundle;
  /** Whether Node has been started since the last call. */
  startedNode(): boolean;
}

let at: ScratchDirectory;
let ways: readonly Way[];
const isRoot = process.geteuid?.() === 0;

beforeAll(() => {
  if (!isRoot) return;
  at = scratch('tmpfs');
  // Notes that it was started, and becomes Node.
  const node = at.join('node');
  const mark = at.join('started');
  writeFileSync(node, `#!/bin/sh\n: >>${mark}\nexec ${process.execPath} "$@"\n`, { mode: 0o755 });
  const startedNode = (): boolean => {
    const started = existsSync(mark);
    rmSync(mark, { force: true });
    return started;
  };
  const way = (name: Way['name'], env: NodeJS.ProcessEnv): Way => ({ name, bundle: ociBundle(at, [OCI_RUNTIME], { LAMELLA_NODE: node, ...env }), startedNode });
  ways = [way('node', { LAMELLA_REPLAY: '0' }), way('native', {})];
});
beforeEach((context) => requiresRoot(context as never));
afterAll(async () => {
  if (isRoot) await at[Symbol.asyncDispose]();
});

// biome-ignore lint/suspicious/noExplicitAny: as ociBundle has it
type Change = (config: any) => void;

const HOOK = { path: '/bin/true' };
/** How a container comes into a state. `without` has the commands that need no Node then. */
const STATES: readonly {
  readonly name: string;
  readonly without: readonly string[];
  readonly change?: Change;
  readonly make: (way: Way) => void | Promise<void>;
}[] = [
  { name: 'created', without: ['state', 'start', 'kill 0', 'kill', 'delete --force', 'list', 'list json', 'list -q'], make: create },
  { name: 'running', without: ['state', 'kill 0', 'kill', 'delete --force', 'list', 'list json', 'list -q'], make: start },
  {
    name: 'paused',
    without: ['state', 'kill 0', 'kill', 'list', 'list json', 'list -q'],
    make(way) {
      start(way);
      must(way.bundle.oci('pause', 'one'));
    },
  },
  {
    name: 'stopped',
    without: ['state', 'delete', 'delete --force', 'list', 'list json', 'list -q'],
    async make(way) {
      start(way);
      must(way.bundle.oci('kill', 'one', 'KILL'));
      await ended(way);
    },
  },
  { name: 'missing', without: ['list', 'list json', 'list -q'], make: (way) => mkdirSync(way.bundle.root, { recursive: true }) },
  {
    name: 'with a damaged record',
    without: [],
    make(way) {
      create(way);
      truncateSync(file(way, 'record'), 200);
    },
  },
  {
    name: 'with a damaged state',
    without: [],
    make(way) {
      create(way);
      writeFileSync(file(way, 'state.json'), '{');
    },
  },
  {
    name: 'whose creation was interrupted',
    without: [],
    make(way) {
      mkdirSync(file(way, ''), { recursive: true });
    },
  },
  {
    name: 'with hooks that Node runs',
    without: ['state', 'kill 0', 'kill', 'list', 'list json', 'list -q'],
    change(config) {
      config.hooks = { poststart: [HOOK], poststop: [HOOK] };
    },
    make: create,
  },
  {
    name: 'without a pid namespace',
    without: ['state', 'start', 'kill 0', 'kill', 'list', 'list json', 'list -q'],
    change(config) {
      config.linux.namespaces = config.linux.namespaces.filter(({ type }: { type: string }) => type !== 'pid');
    },
    make: create,
  },
  {
    name: 'whose command is missing after all',
    without: ['state', 'kill 0', 'kill', 'delete --force', 'list', 'list json', 'list -q'],
    change(config) {
      config.process.args = ['/tool'];
    },
    make(way) {
      const tool = path.join(way.bundle.bundle, 'rootfs/tool');
      writeFileSync(tool, '#!/missing\n', { mode: 0o755 });
      create(way);
    },
  },
  {
    name: 'with annotations and an odd bundle',
    without: ['state', 'kill 0', 'kill', 'start', 'delete --force', 'list', 'list json', 'list -q'],
    change(config) {
      config.annotations = { 'a "pid": 0,\n"status": "stopped"': '"owner":"', ü: '\u202e\u{1f600}' };
    },
    make: create,
  },
];

/** Commands that change nothing, which one container sees after each other. */
const LOOKS: Readonly<Record<string, readonly string[]>> = {
  state: ['state', 'one'],
  'kill 0': ['kill', 'one', '0'],
  list: ['list'],
  'list json': ['list', '--format=json'],
  'list -q': ['list', '-q'],
};
const CHANGES: Readonly<Record<string, readonly string[]>> = {
  start: ['start', 'one'],
  kill: ['kill', 'one', 'SIGKILL'],
  delete: ['delete', 'one'],
  'delete --force': ['delete', '--force', 'one'],
};

const file = ({ bundle }: Way, name: string): string => path.join(bundle.root, 'one', name);

function must(result: OciResult): void {
  expect(result).toMatchObject({ status: 0, stderr: '' });
}

function create({ bundle }: Way): void {
  must(bundle.oci('create', 'one'));
}

function start(way: Way): void {
  create(way);
  must(way.bundle.oci('start', 'one'));
}

async function ended({ bundle }: Way): Promise<void> {
  await until(() => JSON.parse(bundle.oci('state', 'one').stdout).status === 'stopped');
}

/** What the command line and the kernel show, without what differs between two containers. */
function seen(text: string): string {
  return text
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
    .replace(/("pid": ?)[1-9]\d*/g, '$1PID')
    .replace(/^(one {2})[1-9]\d* +/gm, '$1PID ')
    .replace(/^(ID {3}PID) +/m, '$1 ')
    .replace(/~\d+/g, '~');
}

interface Trial {
  readonly startedNode: boolean;
  readonly result: OciResult & { readonly after?: OciResult; readonly files?: readonly string[]; readonly cgroups?: readonly string[] };
}

function configure({ bundle }: Way, change?: Change): void {
  bundle.configure((config) => {
    config.process.args = ['sleep', '1000'];
    config.linux.cgroupsPath = CGROUP;
    config.linux.resources = {};
    change?.(config);
  });
}

/** Makes a new container in a state, and removes it again at the end. */
async function inState(way: Way, { change, make }: (typeof STATES)[number], act: () => Promise<void> | void): Promise<void> {
  configure(way, change);
  rmSync(way.bundle.root, { recursive: true, force: true });
  await make(way);
  try {
    await act();
  } finally {
    way.bundle.oci('delete', '--force', 'one');
    killRest();
  }
}

function call({ bundle, startedNode }: Way, words: readonly string[]): Trial {
  startedNode();
  const { status, stdout, stderr } = bundle.oci(...words);
  return { startedNode: startedNode(), result: { status, stdout: seen(stdout), stderr: seen(stderr) } };
}

/** Runs a command on a new container in a state. Returns everything that can be seen of it. */
async function change(way: Way, state: (typeof STATES)[number], words: readonly string[]): Promise<Trial> {
  const trials: Trial[] = [];
  await inState(way, state, async () => {
    const { startedNode, result } = call(way, words);
    if (words[0] === 'kill' && result.status === 0 && state.name !== 'paused') await ended(way);
    trials.push({
      startedNode,
      result: {
        ...result,
        after: call(way, ['state', 'one']).result,
        files: existsSync(file(way, '')) ? readdirSync(file(way, '')).filter((name) => name !== 'record') : readdirSync(way.bundle.root),
        cgroups: PLACES.filter((place) => existsSync(path.join(place, CGROUP))),
      },
    });
  });
  return trials[0] as Trial;
}

/** Kills what a container with a damaged state has left, and removes its cgroups. */
function killRest(): void {
  const own = PLACES.map((place) => path.join(place, CGROUP)).filter((place) => existsSync(place));
  for (const place of own)
    for (const pid of readFileSync(path.join(place, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean)) process.kill(Number(pid), 'SIGKILL');
  for (const place of execFileSync('find', ['/sys/fs/cgroup', '-type', 'd', '-name', path.basename(CGROUP)], { encoding: 'utf8' })
    .split('\n')
    .filter(Boolean))
    for (let tries = 0; existsSync(place) && tries < 1000; tries++) spawnSync('rmdir', [place], { stdio: 'ignore' });
}

describe.each(STATES)('a container $name is the same with and without Node', (state) => {
  test('to commands that change nothing', async () => {
    const trials: Trial[][] = [];
    for (const way of ways)
      await inState(way, state, () => {
        trials.push(Object.values(LOOKS).map((words) => call(way, words)));
      });
    const [byNode = [], native = []] = trials;
    expect(native.map(({ result }) => result)).toEqual(byNode.map(({ result }) => result));
    expect(Object.keys(LOOKS).filter((_, i) => !native[i]?.startedNode)).toEqual(Object.keys(LOOKS).filter((name) => state.without.includes(name)));
  });

  test.each(Object.keys(CHANGES))('to %s', async (name) => {
    const words = CHANGES[name] ?? [];
    const [byNode, native] = [await change(ways[0] as Way, state, words), await change(ways[1] as Way, state, words)];
    expect(native.result).toEqual(byNode.result);
    expect({ byNode: byNode.startedNode, native: native.startedNode }).toEqual({ byNode: true, native: !state.without.includes(name) });
  });
});

const RUNNING = STATES.find(({ name }) => name === 'running') as (typeof STATES)[number];

/** Command lines, and whether they need Node. */
const LINES: readonly (readonly [words: readonly string[], node: boolean])[] = [
  [['--log', '/nowhere/log', '--log-format', 'json', 'state', 'one'], false],
  [['--log=/nowhere/log', '-log-format=text', '--systemd-cgroup', '--rootless=auto', 'state', 'one'], false],
  [['--systemd-cgroup=maybe', 'state', 'one'], true],
  [['--systemd-cgroup=0', '--criu', 'x', 'state', 'one'], false],
  [['--log-format', 'xml', 'state', 'one'], true],
  [['--debug', 'state', 'one'], true],
  [['--root', 'nowhere', 'state', 'one'], true],
  [['--root', 'nowhere/../../state', 'state', 'one'], true],
  [['--root=../state/', 'state', 'one'], true],
  [['--root='], true],
  [['--root'], true],
  [['--nonsense', 'state', 'one'], true],
  [['state'], true],
  [['state', 'one', 'two'], true],
  [['state', '--', 'one'], true],
  [['state', '--help'], true],
  [['state', '-x', 'one'], true],
  [['state', '../one'], true],
  [['state', ''], true],
  [['', 'one'], true],
  [['status', 'one'], true],
  [['kill', 'one', 'nonsense'], true],
  [['kill', 'one', '65'], true],
  [['kill', 'one', '-9'], true],
  [['kill', 'one', ''], true],
  [['kill', 'one', '0', '0'], true],
  [['kill', '--all', 'one', '0'], true],
  [['kill', 'one', 'RTMIN+3'], true],
  [['kill', 'one', 'sigcont'], false],
  [['kill', 'one', '00018'], false],
  [['kill', 'one', 'SIGſ'], true],
  [['list', 'one'], true],
  [['list', '--format', 'yaml'], true],
  [['list', '--format'], true],
  [['list', '-f', 'json', '--quiet=false'], false],
  [['list', '-f', 'json', '-q'], false],
  [['-list'], true],
  [['delete', 'one', '--force=false'], true],
  [['delete', 'one', '--force=maybe'], true],
  [['delete', '--forced', 'one'], true],
  [['.start-failure', 'one'], true],
];

test('command lines are the same with and without Node', async () => {
  const trials: Trial[][] = [];
  for (const way of ways)
    await inState(way, RUNNING, () => {
      trials.push(LINES.map(([words]) => call(way, words)));
    });
  const [byNode = [], native = []] = trials;
  for (const [i, [words, node]] of LINES.entries()) {
    expect({ words, ...native[i]?.result }).toEqual({ words, ...byNode[i]?.result });
    expect({ words, node: native[i]?.startedNode }).toEqual({ words, node });
  }
});

test('signals have the numbers that Node knows', async () => {
  const way = ways[1] as Way;
  const log = path.join(way.bundle.bundle, 'rootfs/log');
  const CATCHABLE = Object.entries(constants.signals).filter(([name]) => !/^SIG(?:KILL|STOP|CHLD|SEGV|ILL|FPE|BUS|TRAP)$/.test(name));
  const script = 'for s in $(seq 1 16) $(seq 18 31); do trap "echo $s >>/log" $s 2>/dev/null; done; echo up >/log; while :; do sleep 0.01; done';
  await inState(
    way,
    {
      ...RUNNING,
      change(config) {
        config.process.args = ['sh', '-c', script];
        config.root.readonly = false;
      },
    },
    async () => {
      await until(() => existsSync(log));
      for (const [name, number] of CATCHABLE) {
        writeFileSync(log, '');
        expect(call(way, ['kill', 'one', name]).result).toMatchObject({ status: 0, stderr: '' });
        await until(() => readFileSync(log, 'utf8') !== '');
        expect({ name, got: readFileSync(log, 'utf8') }).toEqual({ name, got: `${number}\n` });
      }
    },
  );
});

describe('a record that cannot be trusted is removed, and Node runs the command', () => {
  const CREATED = STATES[0] as (typeof STATES)[number];
  const at = (way: Way): string => file(way, 'record');
  const write = (way: Way, edit: (record: Buffer) => Buffer | undefined): void => {
    const record = readFileSync(at(way));
    writeFileSync(at(way), edit(record) ?? record);
  };

  test.each<[string, (way: Way) => void]>([
    ['empty', (way) => writeFileSync(at(way), '')],
    ['truncated', (way) => write(way, (record) => record.subarray(0, record.length - 1))],
    ['longer than it should be', (way) => write(way, (record) => Buffer.concat([record, Buffer.alloc(1)]))],
    ['too long', (way) => truncateSync(at(way), (1 << 20) + 1)],
    ['of another version', (way) => write(way, (record) => void record.writeUInt32LE(2, 8))],
    ['of another kind', (way) => write(way, (record) => void record.write('X', 'latin1'))],
    ['with another byte', (way) => write(way, (record) => void record.writeUInt8(0x7e, record.length - 2))],
    ['writable by all', (way) => chmodSync(at(way), 0o666)],
    ['of another user', (way) => chownSync(at(way), 65534, 65534)],
    [
      'a link',
      (way) => {
        renameSync(at(way), `${at(way)}.real`);
        symlinkSync('record.real', at(way));
      },
    ],
    [
      'a fifo',
      (way) => {
        rmSync(at(way));
        execFileSync('mkfifo', [at(way)]);
      },
    ],
  ])('%s', async (_, spoil) => {
    const way = ways[1] as Way;
    await inState(way, CREATED, () => {
      expect(call(way, ['state', 'one'])).toMatchObject({ startedNode: false, result: { status: 0 } });
      spoil(way);
      expect(call(way, ['state', 'one'])).toMatchObject({ startedNode: true, result: { status: 0, stdout: expect.stringContaining('"created"') } });
      expect(lstatSync(at(way), { throwIfNoEntry: false })).toBeUndefined();
    });
  });

  test.each<[string, (way: Way) => void]>([
    ['the directory is writable by all', (way) => chmodSync(file(way, ''), 0o777)],
    ['the state has changed', (way) => writeFileSync(file(way, 'state.json'), readFileSync(file(way, 'state.json')))],
  ])('%s', async (_, spoil) => {
    const way = ways[1] as Way;
    await inState(way, CREATED, () => {
      spoil(way);
      expect(call(way, ['state', 'one'])).toMatchObject({ startedNode: true, result: { status: 0, stdout: expect.stringContaining('"created"') } });
    });
  });

  test('the configuration has changed, which start and delete read', async () => {
    const way = ways[1] as Way;
    await inState(way, CREATED, () => {
      writeFileSync(file(way, 'config.json'), readFileSync(file(way, 'config.json')));
      expect(call(way, ['state', 'one'])).toMatchObject({ startedNode: false });
      expect(call(way, ['start', 'one'])).toMatchObject({ startedNode: true, result: { status: 0 } });
      expect(call(way, ['delete', '--force', 'one'])).toMatchObject({ startedNode: true, result: { status: 0 } });
    });
  });

  test('the container is a link', async () => {
    const way = ways[1] as Way;
    await inState(way, CREATED, () => {
      symlinkSync('one', path.join(way.bundle.root, 'two'));
      expect(call(way, ['state', 'two'])).toMatchObject({ startedNode: true });
      rmSync(path.join(way.bundle.root, 'two'));
    });
  });
});
