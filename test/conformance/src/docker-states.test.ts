import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Containers, ImageStore } from '@lamella/engine';
import { busyboxArchive, dockerDaemon, requiresRoot, type ScratchDirectory, scratch, skip } from '@lamella-test/scratch';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { COMMANDS as ALL_COMMANDS, type Outcome, SCRIPT, STATES, type State } from './docker-states.js';

const CLI = path.join(path.dirname(createRequire(import.meta.url).resolve('lamella/package.json')), 'bin/lamella');
/** So many containers at a time: each waits most of the time. */
const AT_ONCE = 4;

/** Those that only look are for the long form. */
const COMMANDS = ALL_COMMANDS.filter((each) => process.env.LAMELLA_LONG || !['top', 'logs', 'port', 'inspect'].includes(each));

let at: ScratchDirectory;
beforeAll(() => {
  at = scratch();
});
afterAll(async () => {
  const containers = new Containers(at.join('store'));
  for (const { id } of await containers.list()) await (await containers.get(id)).remove({ force: true });
  await at[Symbol.asyncDispose]();
});

type Call = (...args: string[]) => Promise<{ readonly ok: boolean; readonly stdout: string }>;

function caller(program: string, env: NodeJS.ProcessEnv): Call {
  return async (...args) => {
    try {
      const { stdout } = await promisify(execFile)(program, args, { env });
      return { ok: true, stdout: stdout.trim() };
    } catch (error) {
      return { ok: false, stdout: String((error as { stdout?: string }).stdout).trim() };
    }
  };
}

/** How containers are made and looked at, beside the commands that are tried. */
interface Driver {
  readonly call: Call;
  make(state: State, name: string): Promise<unknown>;
  stateOf(name: string): Promise<Outcome[1]>;
  wait(name: string): Promise<unknown>;
  remove(name: string): Promise<unknown>;
}

const argsFor = (state: State): string[] => ['sh', '-c', SCRIPT, 'sh', ...(state === 'exited' ? ['ends'] : [])];

function byDocker(call: Call): Driver {
  return {
    call,
    async make(state, name) {
      const args = ['--network', 'none', '--name', name, 'busybox', ...argsFor(state)];
      if (state === 'created') return call('create', ...args);
      await call('run', '-d', ...args);
      if (state === 'exited') return call('wait', name);
      // It listens to signals when it has made its file.
      while (!(await call('exec', name, 'test', '-e', '/second')).ok) await sleep(20);
      return state === 'paused' ? call('pause', name) : undefined;
    },
    async stateOf(name) {
      const { ok, stdout } = await call('inspect', '-f', '{{.State.Status}}', name);
      return ok ? (stdout as State) : 'gone';
    },
    wait: (name) => call('wait', name),
    remove: (name) => call('rm', '-f', name),
  };
}

/** The same without a process for each question. */
function bySdk(call: Call, containers: Containers): Driver {
  return {
    call,
    async make(state, name) {
      const spec = { image: 'busybox', name, args: argsFor(state) };
      if (state === 'created') return containers.create(spec);
      const { container } = await containers.run(spec);
      if (state === 'exited') return container.wait();
      while (!existsSync(path.join(container.upper, 'second'))) await sleep(5);
      return state === 'paused' ? container.pause() : undefined;
    },
    async stateOf(name) {
      return ((await containers.list()).find((each) => each.name === name)?.status as Outcome[1] | undefined) ?? 'gone';
    },
    wait: async (name) => (await containers.get(name)).wait(),
    remove: async (name) => (await containers.get(name)).remove({ force: true }),
  };
}

/** One cell: a container in a state, a command, and what came of both, at once. */
async function cell({ call, ...driver }: Driver, state: State, command: string, name: string): Promise<Outcome> {
  await driver.make(state, name);
  const words = command.split(' ');
  const { ok, stdout } = await call(...(command.includes('{}') ? words.map((word) => word.replaceAll('{}', name)) : [...words, name]));
  // The commands print the name from the command line.
  if (ok && /^(?:start|stop|restart|kill|pause|unpause|rm)/.test(command)) expect(stdout).toBe(name);
  // A signal other than SIGKILL takes the time that the command takes.
  if (ok && command === 'kill -s TERM') await driver.wait(name);
  const called = command.startsWith('rename') ? `${name}-new` : name;
  const after = await driver.stateOf(called);
  if (after !== 'gone') await driver.remove(called);
  return [ok, after];
}

async function all(driver: Driver): Promise<Record<string, Outcome>> {
  const cells = Object.keys(STATES).flatMap((state) => COMMANDS.map((command) => [state as State, command] as const));
  const outcomes: Record<string, Outcome> = {};
  const queue = [...cells.entries()];
  const worker = async (): Promise<void> => {
    for (let next = queue.shift(); next; next = queue.shift()) {
      const [i, [state, command]] = next;
      outcomes[`${state}: ${command}`] = await cell(driver, state, command, `cell-${i}`);
    }
  };
  // Where one fails the others come to the end of theirs, and begin no more.
  const ends = await Promise.allSettled(
    Array.from({ length: AT_ONCE }, () =>
      worker().catch((error: unknown) => {
        queue.length = 0;
        throw error;
      }),
    ),
  );
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
  return outcomes;
}

const EXPECTED = Object.fromEntries(
  Object.entries(STATES).flatMap(([state, outcomes]) =>
    COMMANDS.map((command) => [`${state}: ${command}`, outcomes[ALL_COMMANDS.indexOf(command)] as Outcome]),
  ),
);

test("each command does in each state what Docker's does", { timeout: 300_000 }, async (context) => {
  requiresRoot(context);
  const root = at.join('store');
  await new ImageStore(root).import(busyboxArchive(), 'busybox');
  const call = caller(CLI, { ...process.env, LAMELLA_ROOT: root, LAMELLA_NODE: process.execPath });
  expect(await all(bySdk(call, new Containers(root)))).toEqual(EXPECTED);
});

test("the table is Docker's own", { timeout: 600_000 }, async (context) => {
  requiresRoot(context);
  if (!process.env.LAMELLA_LONG) return skip(context, 'LAMELLA_LONG is not set');
  const docker = await dockerDaemon(at);
  if (typeof docker === 'string') return skip(context, docker);
  try {
    const call = caller('docker', docker.env);
    await call('import', busyboxArchive(), 'busybox');
    expect(await all(byDocker(call))).toEqual(EXPECTED);
  } finally {
    await docker.close();
  }
});
