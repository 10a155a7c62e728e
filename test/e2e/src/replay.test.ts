import { spawn, spawnSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  globSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { isSealedText } from '@lamella/syscall';
import { busyboxArchive, requiresProgram, type ScratchDirectory, scratch, until } from '@lamella-test/scratch';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { CLI, type Outcome } from './cli.js';
import { terminal } from './terminal.js';

/** The launcher says this with --debug. */
const REPLAYED = 'lamella: started from the record of an earlier run\n';
/** A record is not made of files that changed less than this ago, in milliseconds. */
const SETTLED = 150;

let at: ScratchDirectory;
let project: string;

beforeAll(async () => {
  at = scratch();
  chmodSync(at.path, 0o755);
  expect(lamella(['import', busyboxArchive(), 'busybox'], {})).toMatchObject({ status: 0 });
});
afterAll(() => at[Symbol.asyncDispose]());

let count = 0;
beforeEach(() => {
  project = at.join(`project-${count++}`);
  mkdirSync(project);
});

const isRoot = (): boolean => process.geteuid?.() === 0;

interface Surroundings {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  readonly input?: string;
  readonly uid?: number;
}

function environment(env: Surroundings['env']): NodeJS.ProcessEnv {
  const all = { ...process.env, LAMELLA_NODE: process.execPath, LAMELLA_ROOT: at.join('store'), HOME: at.path, XDG_CACHE_HOME: at.join('cache'), ...env };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

function lamella(args: readonly string[], { env, input = '', ...where }: Surroundings = {}): Outcome {
  const { status, stdout, stderr } = spawnSync(CLI, args, { encoding: 'utf8', env: environment(env), input, cwd: project ?? at.path, ...where });
  return { status, stdout, stderr };
}

interface Run extends Outcome {
  readonly replayed: boolean;
  /** Why it has no record. */
  readonly why: string;
}

/** Runs a command with --debug. What the launcher says of it is taken out of stderr. */
function start(command: string, args: readonly string[], surroundings: Surroundings = {}): Run {
  const outcome = lamella([command, '--debug', ...args], surroundings);
  const replayed = outcome.stderr.startsWith(REPLAYED);
  const stderr = outcome.stderr.replace(REPLAYED, '').replaceAll(/lamella: this run has no record.*\n/g, '');
  const [why = ''] = /lamella: this run has no record.*\n/.exec(outcome.stderr) ?? [];
  return { ...outcome, stderr: stderr.replaceAll(/^ +at .*\n/gm, ''), replayed, why };
}

function run(args: readonly string[], surroundings: Surroundings = {}): Run {
  return start('run', args, surroundings);
}

function runByNode(args: readonly string[], surroundings: Surroundings = {}): Run {
  return run(args, { ...surroundings, env: { ...surroundings.env, LAMELLA_REPLAY: '0' } });
}

/** Runs until the run has a record, and once more from it. */
async function recorded(args: readonly string[], surroundings: Surroundings = {}, command = 'run'): Promise<Run> {
  await new Promise((resolve) => setTimeout(resolve, SETTLED));
  // A run that prepares something in the store is not recorded.
  for (let tries = 0; tries < 3 && !start(command, args, surroundings).replayed; tries++);
  const last = start(command, args, surroundings);
  expect(last, last.why).toMatchObject({ replayed: true });
  return last;
}

const without = ({ replayed: _, why: _why, ...outcome }: Run): Outcome => outcome;

const recordFiles = (): string[] => globSync(at.join('cache/lamella/replay/*'));

describe('a run from a record', () => {
  const COMMANDS: Readonly<Record<string, readonly string[]>> = {
    'a command': ['echo', 'a', 'b'],
    'a path': ['/bin/echo', 'a'],
    'odd words': ['printf', '%s|', '', ' ', 'a b', '"', '\\', '\n\t\b\f\r\u0001\u007f', 'é', '\u2028', '𐍈', '$HOME', '--debug', '-h'],
    'many words': ['sh', '-c', 'echo $#', ...Array.from({ length: 300 }, (_, i) => `word-${i}`)],
    'an exit status': ['sh', '-c', 'exit 7'],
    'a signal': ['sh', '-c', 'kill -9 $$'],
    'a missing command': ['no-such-command'],
    'a missing path': ['/no/such'],
    'input and output': ['sh', '-c', 'cat; echo err >&2'],
  };
  test.each(Object.entries(COMMANDS))('does the same as one by Node: %s', async (_, words) => {
    const args = ['-i', '--init', 'busybox', ...words];
    await recorded(['-i', '--init', 'busybox', words[0]?.includes('/') ? '/bin/true' : 'true']);
    const [replayed, byNode] = [run(args, { input: 'in\n' }), runByNode(args, { input: 'in\n' })];
    expect(replayed.replayed).toBe(true);
    expect(without(replayed)).toEqual(without(byNode));
  });

  test('serves flags of many kinds', async () => {
    writeFileSync(path.join(project, 'env'), 'FROM_FILE=1\n');
    mkdirSync(path.join(project, 'shared'));
    const flags = ['-e', 'A=b', '-e', 'PASSED', '--env-file', 'env', '-w', '/tmp', '-h', 'host', '-v', './shared:/shared', '--tmpfs', '/x', '--read-only'];
    const args = [...flags, '-u', '1:1', '--cap-drop', 'ALL', 'busybox', 'sh', '-c', 'env | sort; pwd; hostname; id; grep shared /proc/self/mounts | wc -l'];
    const surroundings = { env: { PASSED: 'here' } };
    const replayed = await recorded(args, surroundings);
    expect(without(replayed)).toEqual(without(runByNode(args, surroundings)));
  });

  test('has an id and a name that no other has, which the container shows', async () => {
    const args = ['busybox', 'hostname'];
    await recorded(args);
    const names = Array.from({ length: 10 }, () => run(args).stdout.trim());
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) expect(name).toMatch(/^[0-9a-f]{12}$/);
    expect(readdirSync(at.join('store/containers')).filter((name) => !name.startsWith('.'))).toEqual([]);
    expect(readdirSync(at.join('store/containers/.given'))).toEqual([]);
  });

  test('writes the config that Node writes, with a checksum that is right', async () => {
    const words = ['sh', '-c', 'sleep 1000', 'é "quoted" \\ 𐍈\n'];
    await recorded(['busybox', 'sh', '-c', 'true']);
    const configs = [];
    for (const LAMELLA_REPLAY of ['1', '0']) {
      const child = spawn(CLI, ['run', '--debug', 'busybox', ...words], {
        env: environment({ LAMELLA_REPLAY }),
        cwd: project,
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      const said = new Promise<string>((resolve) => child.stderr.once('data', (data) => resolve(String(data))));
      const ended = new Promise((resolve) => child.once('exit', resolve));
      if (LAMELLA_REPLAY === '1') expect(await said).toBe(REPLAYED);
      const find = (): string => globSync(at.join('store/containers/*/config.json'))[0] ?? '';
      await until(() => find() !== '' && readFileSync(find(), 'utf8').endsWith('}\n'));
      const found = find();
      const text = readFileSync(found, 'utf8');
      expect(isSealedText(text)).toBe(true);
      const { id, created, sum, env, spec, ...config } = JSON.parse(text);
      expect(Math.abs(Date.now() - Date.parse(created))).toBeLessThan(60_000);
      expect([path.basename(path.dirname(found)), env.HOSTNAME]).toEqual([id, id]);
      expect(spec.name).toMatch(/^[a-z]+_[a-z]+$/);
      configs.push({ ...config, env: { ...env, HOSTNAME: '' }, spec: { ...spec, name: '' }, hasSum: sum !== undefined });
      expect(lamella(['rm', '-f', id])).toMatchObject({ status: 0 });
      await ended;
    }
    expect(configs[0]).toEqual(configs[1]);
  });

  test('has the size that the terminal has now', async (context) => {
    const tmux = requiresProgram(context, 'tmux');
    const words = `${CLI} run --debug -it busybox sh -c 'echo size $(stty size)'`;
    const variables = ['LAMELLA_NODE', 'LAMELLA_ROOT', 'XDG_CACHE_HOME'].map((name) => `${name}=${environment({})[name]}`).join(' ');
    const shown = terminal(
      tmux,
      `export ${variables}; ${words}; sleep 0.2; ${words}; ${words}; while [ "$(stty size)" = "30 100" ]; do sleep 0.05; done; ${words}`,
    );
    try {
      await shown.until(/record of an earlier run\nsize 30 100\n$/);
      shown.resize(77, 21);
      await shown.until(/record of an earlier run\nsize 21 77\nstatus 0/);
    } finally {
      shown.close();
    }
  });

  test('is explained by Node when it fails', async () => {
    await recorded(['busybox', 'true']);
    const failed = run(['busybox', 'no-such']);
    expect(failed).toMatchObject({ replayed: true, status: 127, stderr: expect.stringContaining('no-such: not found in the container') });
  });

  test('can be forbidden', async () => {
    await recorded(['busybox', 'true']);
    expect(runByNode(['busybox', 'true']).replayed).toBe(false);
    expect(run(['busybox', 'true'], { env: { LAMELLA_REPLAY: '0' } }).replayed).toBe(false);
  });
});

/** What a plan may read, and how it changes. */
interface Change {
  readonly args: readonly string[];
  readonly prepare?: () => void;
  readonly before?: Surroundings;
  readonly change: () => void;
  readonly after?: Surroundings;
  readonly restore?: () => void;
  readonly needsRoot?: true;
}

const inProject = (name: string): string => path.join(project, name);
/** The tree of busybox's layer. */
const layer = (): string => {
  const [found] = globSync(at.join('store/layers/*/fs/bin/busybox'));
  if (found === undefined) throw new Error('busybox has no layer');
  return path.dirname(path.dirname(found));
};

/** Gives the name "changing" to an image with a file of this name. */
function retag(file: string): void {
  for (const words of [
    ['run', '--keep', '--name', 'maker', 'busybox', 'touch', `/${file}`],
    ['commit', 'maker', 'changing'],
    ['rm', 'maker'],
  ])
    expect(lamella(words)).toMatchObject({ status: 0 });
}

const CHANGES: Readonly<Record<string, Change>> = {
  'the image has another content': { args: ['changing', 'ls', '/'], prepare: () => retag('one'), change: () => retag('two') },
  'the image is gone': {
    args: ['--pull', 'never', 'vanishing', 'true'],
    prepare: () => expect(lamella(['tag', 'busybox', 'vanishing'])).toMatchObject({ status: 0 }),
    change: () => expect(lamella(['rmi', 'vanishing'])).toMatchObject({ status: 0 }),
  },
  'a layer is gone': {
    args: ['busybox', 'true'],
    change: () => renameSync(layer(), at.join('away')),
    // Node unpacks it again.
    restore: () => rmSync(at.join('away'), { recursive: true }),
  },
  "the image's passwd": {
    args: ['-u', 'somebody', 'busybox', 'id'],
    prepare: () => appendFileSync(path.join(layer(), 'etc/passwd'), 'somebody:x:7:7::/:/bin/sh\n'),
    change: () => {
      const file = path.join(layer(), 'etc/passwd');
      writeFileSync(file, readFileSync(file, 'utf8').replace('somebody:x:7:7', 'somebody:x:8:8'));
    },
    restore: () => {
      const file = path.join(layer(), 'etc/passwd');
      writeFileSync(file, readFileSync(file, 'utf8').replace(/somebody.*\n/, ''));
    },
  },
  'a volume became a file': {
    args: ['-v', './source:/target', 'busybox', 'stat', '-c', '%F', '/target'],
    prepare: () => mkdirSync(inProject('source')),
    change: () => {
      rmSync(inProject('source'), { recursive: true });
      writeFileSync(inProject('source'), '');
    },
  },
  'a volume is another directory': {
    args: ['-v', './source:/target', 'busybox', 'ls', '/target'],
    prepare: () => mkdirSync(inProject('source')),
    change: () => {
      renameSync(inProject('source'), inProject('old'));
      mkdirSync(inProject('source'));
      writeFileSync(inProject('source/new'), '');
    },
  },
  'a volume is a link that leads elsewhere': {
    args: ['-v', './source:/target', 'busybox', 'ls', '/target'],
    prepare: () => {
      for (const name of ['one', 'two']) mkdirSync(inProject(name));
      writeFileSync(inProject('two/new'), '');
      symlinkSync('one', inProject('source'));
    },
    change: () => {
      unlinkSync(inProject('source'));
      symlinkSync('two', inProject('source'));
    },
  },
  'a volume is gone': {
    args: ['--mount', 'type=bind,source=./source,target=/target', 'busybox', 'ls', '/target'],
    prepare: () => mkdirSync(inProject('source')),
    change: () => rmSync(inProject('source'), { recursive: true }),
  },
  'a file of variables': {
    args: ['-h', 'host', '--env-file', 'file', 'busybox', 'env'],
    prepare: () => writeFileSync(inProject('file'), 'A=1\n'),
    change: () => writeFileSync(inProject('file'), 'A=2\n'),
  },
  'a variable that is passed on': {
    args: ['-h', 'host', '-e', 'PASSED', 'busybox', 'env'],
    before: { env: { PASSED: '1' } },
    change: () => undefined,
    after: { env: { PASSED: '2' } },
  },
  'a variable that is passed on, and is not set': {
    args: ['-h', 'host', '-e', 'PASSED', 'busybox', 'env'],
    before: { env: { PASSED: '1' } },
    change: () => undefined,
  },
  'the working directory': {
    args: ['-v', './source:/target', 'busybox', 'ls', '/target'],
    prepare: () => {
      mkdirSync(inProject('source'));
      mkdirSync(inProject('other/source'), { recursive: true });
      writeFileSync(inProject('other/source/new'), '');
    },
    change: () => undefined,
    after: {
      get cwd() {
        return inProject('other');
      },
    },
  },
  'the store': {
    args: ['--pull', 'never', 'busybox', 'true'],
    change: () => undefined,
    after: {
      get env() {
        return { LAMELLA_ROOT: inProject('store') };
      },
    },
  },
  'a container that was killed is left in the store': {
    args: ['busybox', 'true'],
    change: () => {
      mkdirSync(at.join('store/containers/deadbeefdead'));
      writeFileSync(at.join('store/containers/deadbeefdead/lock'), '');
    },
  },
  'an unpacking was interrupted': {
    args: ['busybox', 'true'],
    change: () => mkdirSync(at.join('store/layers/.tmp-00000000-0000-0000-0000-000000000000')),
    restore: () => rmSync(at.join('store/layers/.tmp-00000000-0000-0000-0000-000000000000'), { recursive: true, force: true }),
  },
  'the file of events is long': { args: ['busybox', 'true'], change: () => truncateSync(at.join('store/containers/.events'), 2 << 20) },
  'another user asks': {
    args: ['busybox', 'true'],
    change: () => undefined,
    after: { uid: 12345 },
    needsRoot: true,
  },
};

test('a record serves a volume whose content has changed', async () => {
  const args = ['-v', '.:/project', 'busybox', 'ls', '/project'];
  await recorded(args);
  writeFileSync(inProject('new'), '');
  mkdirSync(inProject('directory'));
  expect(run(args)).toMatchObject({ replayed: true, stdout: 'directory\nnew\n' });
  chmodSync(project, 0o700);
  expect(run(args)).toMatchObject({ replayed: false, stdout: 'directory\nnew\n' });
});

describe('a record is not used when', () => {
  test.each(Object.entries(CHANGES))('%s', async (_, { args, prepare, before, change, after, restore, needsRoot }) => {
    if (needsRoot && !isRoot()) return;
    prepare?.();
    try {
      await recorded(args, before);
      change();
      const [changed, byNode] = [run(args, after), runByNode(args, after)];
      expect(changed.replayed).toBe(false);
      expect(without(changed)).toEqual(without(byNode));
    } finally {
      restore?.();
    }
  });

  test('the container that was killed is swept, and the next run is replayed again', async () => {
    const dead = at.join('store/containers/deadbeefdead');
    await recorded(['busybox', 'true']);
    mkdirSync(dead);
    writeFileSync(path.join(dead, 'lock'), '');
    expect(run(['busybox', 'true'])).toMatchObject({ replayed: false, status: 0 });
    expect(existsSync(dead)).toBe(false);
    expect(run(['busybox', 'true'])).toMatchObject({ replayed: true, status: 0 });
  });

  test('others live, it is used', async () => {
    expect(lamella(['run', '-d', '--name', 'living', '--init', 'busybox', 'sleep', '1000'])).toMatchObject({ status: 0 });
    expect(lamella(['create', '--name', 'kept', 'busybox', 'true'])).toMatchObject({ status: 0 });
    try {
      await recorded(['busybox', 'true']);
    } finally {
      expect(lamella(['rm', '-f', 'living', 'kept'])).toMatchObject({ status: 0 });
    }
  });
});

describe('a detached container', () => {
  afterEach(() => void lamella(['rm', '-f', ...lamella(['ps', '-aq']).stdout.split('\n').filter(Boolean)]));

  test('is started from a record, with its id on stdout, and lives on', async () => {
    const args = ['-d', '-e', 'A=b', '--restart', 'on-failure:2', 'busybox', 'sh', '-c', 'echo "$@"; echo err >&2; sleep 1000', 'sh', 'é'];
    const { stdout } = await recorded(args);
    const id = stdout.trim();
    expect(id).toMatch(/^[0-9a-f]{12}$/);
    const byNode = runByNode(args).stdout.trim();
    const describe = (which: string): unknown => {
      const [{ Id, Name, Created, State, Config, Mounts, HostConfig }] = JSON.parse(lamella(['inspect', which]).stdout);
      return {
        State: State.Status,
        Config: { ...Config, Hostname: '', Env: Config.Env.filter((each: string) => !each.startsWith('HOSTNAME=')) },
        Mounts,
        HostConfig,
        has: [Id, Name, Created].every(Boolean),
      };
    };
    await until(() => lamella(['logs', id]).stdout === 'é\n' && lamella(['logs', byNode]).stdout === 'é\n');
    expect(describe(id)).toEqual(describe(byNode));
    expect(lamella(['logs', id])).toEqual(lamella(['logs', byNode]));
    expect(lamella(['stop', '-t', '0', id])).toMatchObject({ status: 0 });
  });

  test('is started from a record under its name, unless that is taken', async () => {
    const args = ['-d', '--name', 'box', 'busybox', 'sleep', '1000'];
    const again = async (): Promise<Run> => {
      expect(lamella(['rm', '-f', 'box'])).toMatchObject({ status: 0 });
      await new Promise((resolve) => setTimeout(resolve, SETTLED));
      return run(args);
    };
    let outcome = run(args);
    for (let tries = 0; tries < 4 && !outcome.replayed; tries++) outcome = await again();
    expect(outcome, outcome.why).toMatchObject({ replayed: true, status: 0 });
    const taken = run(args);
    expect(taken).toMatchObject({ replayed: false, status: 125, stderr: expect.stringContaining("there is a container 'box' already") });
    const bare = ({ stderr, ...other }: Run): object => ({ ...without({ ...other, stderr }), stderr: stderr.replaceAll(/[0-9a-f]{12}/g, 'ID') });
    expect(bare(taken)).toEqual(bare(runByNode(args)));
  });

  test('is not there if its command cannot be executed', async () => {
    await recorded(['-d', 'busybox', 'sleep', '1000']);
    const failed = run(['-d', 'busybox', 'no-such']);
    expect(failed).toMatchObject({ replayed: true, status: 127, stdout: '' });
    expect(without(failed)).toEqual(without(runByNode(['-d', 'busybox', 'no-such'])));
    expect(lamella(['ps', '-a', '--format', '{{.Command}}']).stdout).not.toContain('no-such');
  });

  test('lives on when its id cannot be printed', async () => {
    await recorded(['-d', 'busybox', 'sleep', '1000']);
    const before = lamella(['ps', '-q']).stdout.split('\n').length;
    const { status, stderr } = spawnSync('sh', ['-c', `exec "$0" run --debug -d busybox sleep 1000 > /dev/full`, CLI], {
      env: environment({}),
      cwd: project,
      encoding: 'utf8',
    });
    expect([status, stderr]).toEqual([125, expect.stringContaining('cannot write to stdout: no space left on the device (ENOSPC)')]);
    expect(lamella(['ps', '-q']).stdout.split('\n').length).toBe(before + 1);
  });
});

/** What happens to a container between two commands in it. */
const EVENTS: Readonly<Record<string, { readonly flags?: readonly string[]; readonly happens: readonly (readonly string[])[] }>> = {
  'it was restarted': { happens: [['restart', '-t', '0', 'box']] },
  'it ended': {
    happens: [
      ['kill', 'box'],
      ['wait', 'box'],
    ],
  },
  'it is paused': { happens: [['pause', 'box']] },
  'it was removed': { happens: [['rm', '-f', 'box']] },
  'it has another name': { happens: [['rename', 'box', 'other']] },
  'another container has its name': {
    happens: [
      ['rename', 'box', 'other'],
      ['run', '-d', '--init', '--name', 'box', '-h', 'second', 'busybox', 'sleep', '1000'],
    ],
  },
  'the users in it have changed': {
    flags: ['-u', 'somebody'],
    happens: [['exec', 'box', 'sed', '-i', 's/7:7/8:8/', '/etc/passwd']],
  },
};

describe('a command in a running container', () => {
  beforeEach(() => {
    expect(lamella(['run', '-d', '--init', '--name', 'box', '-h', 'first', 'busybox', 'sleep', '1000'])).toMatchObject({ status: 0 });
    expect(lamella(['exec', 'box', 'sh', '-c', 'echo somebody:x:7:7::/:/bin/sh >> /etc/passwd'])).toMatchObject({ status: 0 });
  });
  afterEach(() => void lamella(['rm', '-f', 'box', 'other']));

  test('is started from a record as it is by Node', async () => {
    const args = ['-i', '-e', 'A=b', '-w', '/tmp', '-u', 'somebody', 'box', 'sh', '-c', 'cat; env | sort; pwd; id; echo "$@"; exit 3', 'é "', '\\'];
    const replayed = await recorded(args, { input: 'in' }, 'exec');
    const byNode = start('exec', args, { input: 'in', env: { LAMELLA_REPLAY: '0' } });
    expect(without(replayed)).toEqual(without(byNode));
    expect(replayed.status).toBe(3);
    expect(start('exec', [...args.slice(0, args.indexOf('box') + 1), 'no-such'])).toMatchObject({
      replayed: true,
      status: 127,
      stderr: expect.stringContaining('no-such: not found'),
    });
    const events = lamella(['events', '--since', '1h', '--until', '0s', '--filter', 'event=exec', '--json']).stdout.trim().split('\n');
    expect(events.length).toBeGreaterThan(4);
  });

  test.each(Object.entries(EVENTS))('is not started from a record when %s', async (_, { flags = [], happens }) => {
    const args = [...flags, 'box', 'sh', '-c', 'hostname; id'];
    await recorded(args, {}, 'exec');
    for (const words of happens) expect(lamella(words), words.join(' ')).toMatchObject({ stderr: '' });
    const [changed, byNode] = [start('exec', args), start('exec', args, { env: { LAMELLA_REPLAY: '0' } })];
    expect(changed.replayed).toBe(false);
    expect(without(changed)).toEqual(without(byNode));
  });
});

/** Ways in which the file of a record can be wrong. */
const DAMAGES: Readonly<Record<string, { readonly damage: (file: string) => void; readonly removed: boolean; readonly needsRoot?: true }>> = {
  'cut short': { damage: (file) => truncateSync(file, readFileSync(file).length - 1), removed: true },
  empty: { damage: (file) => truncateSync(file, 0), removed: true },
  'of another version': { damage: (file) => writeFileSync(file, readFileSync(file).fill('9', 6, 8)), removed: true },
  'with one byte changed': {
    damage: (file) => {
      const bytes = readFileSync(file);
      const middle = bytes.length >> 1;
      bytes[middle] = (bytes[middle] ?? 0) ^ 1;
      writeFileSync(file, bytes);
    },
    removed: true,
  },
  'readable by others': { damage: (file) => chmodSync(file, 0o644), removed: true },
  "another user's": { damage: (file) => chownSync(file, 12345, 12345), removed: true, needsRoot: true },
  'a link': {
    damage: (file) => {
      renameSync(file, at.join('record'));
      symlinkSync(at.join('record'), file);
    },
    removed: true,
  },
  'a FIFO': {
    damage: (file) => {
      unlinkSync(file);
      expect(spawnSync('mkfifo', ['-m', '600', file]).status).toBe(0);
    },
    removed: true,
  },
  'very long': { damage: (file) => truncateSync(file, 1 << 30), removed: true },
  'that of another command line': {
    damage: (file) => {
      const other = recordFiles().find((each) => each !== file);
      copyFileSync(other as string, file);
    },
    removed: false,
  },
  'in a directory that others can write to': { damage: (file) => chmodSync(path.dirname(file), 0o777), removed: false },
};

describe('a record is ignored, and removed, that is', () => {
  test.each(Object.entries(DAMAGES))('%s', async (_, { damage, removed, needsRoot }) => {
    if (needsRoot && !isRoot()) return;
    rmSync(at.join('cache/lamella/replay'), { recursive: true, force: true });
    await recorded(['-e', 'OTHER=1', 'busybox', 'true']);
    const before = new Set(recordFiles());
    await recorded(['busybox', 'true']);
    const file = recordFiles().find((each) => !before.has(each)) ?? '';
    damage(file);
    // The launcher does not see what Node writes afterwards.
    const surroundings = { env: { LAMELLA_NODE: '/bin/echo' } };
    expect(lamella(['run', '--debug', 'busybox', 'true'], surroundings).stdout).toContain(':run :--debug :busybox :true');
    if (removed) expect(existsSync(file)).toBe(false);
    chmodSync(path.dirname(file), 0o700);
    if (removed) expect(run(['busybox', 'true'])).toMatchObject({ status: 0, replayed: false });
    await recorded(['busybox', 'true']);
  });

  test('nowhere, because the cache directory cannot be written to', () => {
    writeFileSync(inProject('file'), '');
    const surroundings = { env: { XDG_CACHE_HOME: inProject('file/cache') } };
    expect(run(['busybox', 'echo', 'a'], surroundings)).toMatchObject({ status: 0, stdout: 'a\n', replayed: false });
    expect(run(['busybox', 'echo', 'a'], surroundings)).toMatchObject({ status: 0, stdout: 'a\n', replayed: false });
  });

  test('one of 256: the oldest go', () => {
    rmSync(at.join('cache/lamella/replay'), { recursive: true, force: true });
    expect(run(['busybox', 'true'])).toMatchObject({ status: 0 });
    const directory = at.join('cache/lamella/replay');
    for (let i = 0; i < 300; i++) writeFileSync(path.join(directory, `old-${i}`), '');
    run(['-e', 'ANOTHER=1', 'busybox', 'true']);
    expect(readdirSync(directory).length).toBeLessThanOrEqual(256);
  });
});
