import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { becomes, busyboxArchive, cgroupsOf, findProgram, mountsBelow, type Registry, requiresProgram, startRegistry } from '@lamella-test/scratch';
import { afterAll, expect, type TestContext, test } from 'vitest';
import { somePoints, useInjectedEngine } from './injected-engine.js';
import { pointsOf } from './injection.js';

/** All points with LAMELLA_FAULTS=all; else so many of each scenario, spread evenly and others each day. */
const SHORT = 20;
/** What takes so many milliseconds waited for something, and is worth a look. */
const SLOW = 3000;

const injected = useInjectedEngine();
let registry: Registry | undefined;

afterAll(() => registry?.[Symbol.asyncDispose]());

interface Scenario {
  readonly what: string;
  /** A program without which there is no such scenario. */
  readonly program?: string;
  /** Made without faults, for the scenario to work on. */
  readonly before?: () => Promise<void>;
  readonly run: () => Promise<unknown>;
  /** What must hold afterwards, whatever happened. */
  readonly after?: () => void;
}

const sh = (script: string) => ({ image: 'busybox', args: ['sh', '-c', script] });

/** What a command has to print, if it was not the one that was killed. */
function says(
  { signal, exitCode, stdout }: { readonly signal?: string | undefined; readonly exitCode?: number | undefined; readonly stdout?: unknown },
  wanted: string,
): void {
  if (signal === undefined && exitCode === 0) expect(stdout).toBe(wanted);
}

const SCENARIOS: readonly Scenario[] = [
  { what: 'a run', run: () => injected.engine.run({ ...sh('echo x > /tmp/new; rm /etc/group'), root: injected.root }, { timeout: 10_000 }) },
  {
    what: 'a run with a limit, a volume and its own init',
    run: () =>
      injected.engine.run(
        { ...sh('true'), root: injected.root, init: true, resources: { pidsLimit: 50 }, volumes: [{ source: '/usr', destination: '/mnt', readonly: true }] },
        { timeout: 10_000 },
      ),
  },
  {
    what: 'a detached life with a log, stopped and removed',
    run: async () => {
      const { container } = await new injected.engine.Containers(injected.root).run({ ...sh('echo out; echo err >&2; sleep 1000'), name: 'life' });
      await container.stop({ timeout: 0 });
      await container.remove();
    },
  },
  {
    what: 'a second life',
    before: async () => {
      await (await new injected.engine.Containers(injected.root).create({ ...sh('echo again'), name: 'second' })).start();
      await (await new injected.engine.Containers(injected.root).get('second')).wait();
    },
    run: async () => {
      const container = await new injected.engine.Containers(injected.root).get('second');
      await container.start();
      await container.wait();
    },
  },
  {
    what: 'an exec',
    before: async () => void (await new injected.engine.Containers(injected.root).run({ ...sh('sleep 1000'), name: 'host' })),
    run: async () => {
      const container = await new injected.engine.Containers(injected.root).get('host');
      const running = await container.exec({ args: ['true'] }, { timeout: 10_000 });
      await running.result;
    },
  },
  {
    what: 'copying in and out',
    before: async () => void (await new injected.engine.Containers(injected.root).create({ ...sh('true'), name: 'copies' })),
    run: async () => {
      const container = await new injected.engine.Containers(injected.root).get('copies');
      const archive: Buffer[] = [];
      for await (const chunk of await container.copyOut('/etc')) archive.push(chunk as Buffer);
      await container.copyIn(Readable.from(archive), '/tmp');
    },
  },
  { what: 'unpacking an image', run: () => new injected.engine.ImageStore(injected.root).import(injected.at.join('small.tar'), 'small') },
  {
    what: 'a pull',
    program: 'docker-registry',
    before: async () => {
      const store = new injected.engine.ImageStore(injected.root);
      if (registry) return;
      registry = await startRegistry(findProgram('docker-registry') ?? '', injected.at.join('registry'));
      await store.tag('busybox', `${registry.host}/pulled`);
      await store.push(`${registry.host}/pulled`);
      await store.remove(`${registry.host}/pulled`);
    },
    run: async () => {
      // With a separate store, because pull does not fetch existing layers.
      const store = new injected.engine.ImageStore(injected.at.join('pulling'));
      await store.pull(`${registry?.host}/pulled`);
      await store.remove(`${registry?.host}/pulled`);
    },
  },
  {
    what: 'applying changes to the host, and taking them back',
    before: async () => {
      rmSync(project(), { recursive: true, force: true });
      mkdirSync(project('src'), { recursive: true });
      for (const name of ['README', 'src/a', 'src/b']) writeFileSync(project(name), `${name} before`);
      const container = await new injected.engine.Containers(injected.root).create({
        image: 'busybox',
        name: 'applies',
        volumes: [{ source: project(), destination: '/p', overlay: true }],
      });
      const change = 'cd /p; echo after > README; rm src/a; mv src/b src/c; mkdir -p new/dir; echo n > new/dir/n; chmod 700 src';
      await (await container.run({ args: ['sh', '-c', change] })).result;
    },
    run: async () => {
      const containers = new injected.engine.Containers(injected.root);
      await (await containers.get('applies')).apply();
      await containers.undoApply('applies');
    },
    after: () => {
      const now = readdirSync(project(), { recursive: true }).map(String).toSorted().join();
      const whole = readFileSync(project('README'), 'utf8');
      // All of it, or nothing.
      expect([
        ['README,src,src/a,src/b', 'README before'],
        ['README,new,new/dir,new/dir/n,src,src/c', 'after\n'],
      ]).toContainEqual([now, whole]);
      expect(existsSync(path.join(injected.root, 'applying')) ? readdirSync(path.join(injected.root, 'applying')) : []).toEqual([]);
    },
  },
  {
    what: 'a checkpoint, a fork and the way back',
    before: async () => {
      const container = await new injected.engine.Containers(injected.root).create({ image: 'busybox', name: 'branches' });
      await (await container.run({ args: ['sh', '-c', 'echo 1 > /a; mkdir /b'] })).result;
    },
    run: async () => {
      const container = await new injected.engine.Containers(injected.root).get('branches');
      await container.checkpoint('one');
      await (await container.run({ args: ['sh', '-c', 'rm /a; echo 2 > /b/c'] })).result;
      await container.fork(2);
      const before = (await container.history()).checkpoints[0]?.id;
      await container.rollback(before);
      expect((await Array.fromAsync(container.changes())).map((change) => change.path)).toEqual(['/a', '/b']);
    },
    after: () => expect(existsSync(path.join(injected.root, 'frozen')) ? readdirSync(path.join(injected.root, 'frozen')) : []).toEqual([]),
  },
  {
    what: 'a checkpoint of one that runs, and the way back',
    before: async () => void (await new injected.engine.Containers(injected.root).run({ ...sh('echo 1 > /a; exec sleep 1000'), name: 'runs' })),
    run: async () => {
      const container = await new injected.engine.Containers(injected.root).get('runs');
      await container.checkpoint('one');
      await (await container.exec({ args: ['sh', '-c', 'rm /a'] }, { timeout: 10_000 })).result;
      await container.rollback();
      says(await (await container.exec({ args: ['cat', '/a'] }, { timeout: 10_000 })).result, '1');
    },
    after: () => expect(existsSync(path.join(injected.root, 'frozen')) ? readdirSync(path.join(injected.root, 'frozen')) : []).toEqual([]),
  },
  {
    what: 'squashing what a container stands on',
    before: async () => {
      const container = await new injected.engine.Containers(injected.root).create({ image: 'busybox', name: 'squashed' });
      for (let i = 0; i < 11; i++) {
        await (await container.run({ args: ['sh', '-c', `echo ${i} > /a; rm -rf /home /b; mkdir -p /home/${i} /b; echo ${i} > /c-${i}`] })).result;
        await container.checkpoint();
      }
    },
    run: async () => {
      const container = await new injected.engine.Containers(injected.root).get('squashed');
      await container.squash();
      // By us, and not by a command, whose own calls are met by faults, too.
      const changes = (await Array.fromAsync(container.changes())).map(({ kind, path: where }) => `${kind} ${where}`);
      const files = Array.from({ length: 11 }, (_, i) => `added /c-${i}`);
      expect(changes.toSorted()).toEqual(['added /a', 'added /b', 'added /home/10', ...files].toSorted());
    },
    after: () => expect(existsSync(path.join(injected.root, 'frozen')) ? readdirSync(path.join(injected.root, 'frozen')) : []).toEqual([]),
  },
  {
    what: 'a run with ids of its own',
    run: () => injected.engine.run({ ...sh('echo x > /tmp/new; chown 5:6 /tmp/new'), root: injected.root, userns: { mode: 'auto' } }, { timeout: 10_000 }),
  },
  {
    what: 'a commit',
    before: async () => {
      const container = await new injected.engine.Containers(injected.root).create({ image: 'busybox', name: 'commits' });
      await (await container.run({ args: ['sh', '-c', 'echo 1 > /a; rm -r /home'] })).result;
    },
    run: async () => {
      await (await new injected.engine.Containers(injected.root).get('commits')).commit('committed');
      await new injected.engine.ImageStore(injected.root).remove('committed');
    },
  },
  {
    what: 'a try',
    run: async () => {
      const containers = new injected.engine.Containers(injected.root);
      const running = await containers.try({ args: ['sh', '-c', 'echo x > /etc/lamella-fault; rm -f /etc/hostname'] }, { timeout: 10_000 });
      await running.result;
      const container = await containers.get(running.id);
      await Array.fromAsync(container.changes());
      await container.remove();
    },
    after: () => expect(existsSync('/etc/lamella-fault')).toBe(false),
  },
  {
    what: 'removing an image',
    before: async () => void (await new injected.engine.ImageStore(injected.root).import(injected.at.join('small.tar'), 'small')),
    run: () => new injected.engine.ImageStore(injected.root).remove('small'),
  },
];

const project = (name = ''): string => injected.at.join('project', name);

/** Whatever of ours lives or lies about. The living hold a lock in the store, or run from our interpreter. */
function left(): string[] {
  const found = [...mountsBelow(injected.at.path)];
  const containers = path.join(injected.root, 'containers');
  if (existsSync(containers))
    found.push(
      ...readdirSync(containers)
        .filter((name) => !name.startsWith('.'))
        .map((name) => `container ${name}`),
    );
  const names = path.join(containers, '.names');
  if (existsSync(names))
    found.push(
      ...readdirSync(names)
        .filter((name) => !name.startsWith('.'))
        .map((name) => `name ${name}`),
    );
  for (const place of [injected.root, injected.at.join('pulling')].flatMap((store) =>
    ['layers', 'chains', 'images/blobs/sha256'].map((each) => path.join(store, each)),
  ))
    if (existsSync(place))
      found.push(
        ...readdirSync(place)
          .filter((name) => name.startsWith('.'))
          .map((name) => `${place}/${name}`),
      );
  found.push(...cgroupsOf(injected.root));
  return found;
}

function descendants(): number[] {
  const children = (pid: number): number[] => {
    try {
      return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);
    } catch (error) {
      if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return [];
      throw error;
    }
  };
  return children(process.pid);
}

async function attempt(scenario: Scenario): Promise<'worked' | 'failed'> {
  const timeout = Promise.withResolvers<never>();
  const timer = setTimeout(() => timeout.reject(new Error('it hangs')), 15_000);
  try {
    await Promise.race([scenario.run(), timeout.promise]);
    return 'worked';
  } catch (error) {
    if ((error as Error).message === 'it hangs') throw error;
    // Every failure is an error of Lamella, or of a system call.
    const first = error instanceof SuppressedError ? error.suppressed : error;
    expect((first as { code?: unknown }).code, (first as Error).stack).toBeTypeOf('string');
    return 'failed';
  } finally {
    clearTimeout(timer);
  }
}

/** What the next command, or the user, does: afterwards there is nothing. */
async function clear(): Promise<void> {
  injected.interpreter.plain();
  try {
    await clearOnce();
  } catch (error) {
    // The process that holds locks lives on from attempt to attempt, and met its fault only now.
    if (!['INIT_DIED', 'INIT_FAILED', 'INIT_REFUSED'].includes((error as { code?: string }).code ?? '') && (error as Error).name !== 'SyscallError')
      throw error;
    await clearOnce();
  }
}

async function clearOnce(): Promise<void> {
  const containers = new injected.engine.Containers(injected.root);
  await injected.engine.sweep(injected.root);
  for (const { id } of await containers.list()) {
    await (await containers.get(id)).remove({ force: true });
  }
  await new injected.engine.ImageStore(injected.root).remove('committed').catch((error: { code?: string }) => {
    if (error.code !== 'IMAGE_NOT_FOUND') throw error;
  });
  // A removal goes on by itself after a rollback.
  await becomes(async () => {
    await injected.engine.sweep(injected.root);
    return !left().some((each) => each.includes('-discarded'));
  }, 20);
  // What runs now sweeps, and works, on the image as it was.
  const { stdout } = await injected.engine.run({ ...sh('ls /etc; cat /etc/group | wc -l'), root: injected.root });
  expect(stdout).toContain('group');
  await new injected.engine.ImageStore(injected.root).sweep();
  await new injected.engine.ImageStore(injected.root).prune();
  const pulling = new injected.engine.ImageStore(injected.at.join('pulling'));
  await pulling.sweep();
  await pulling.prune();
}

async function prepare(context: TestContext): Promise<void> {
  if (!(await injected.prepare(context))) return;
  const { create } = await import('tar');
  await create({ file: injected.at.join('small.tar'), cwd: path.dirname(busyboxArchive()) }, [path.basename(busyboxArchive())]);
  writeFileSync(injected.at.join('ready'), '');
}

for (const scenario of SCENARIOS) {
  test(`${scenario.what}: whichever call kills it or fails, nothing is left`, { timeout: 3_600_000 }, async (context) => {
    await prepare(context);
    if (scenario.program) requiresProgram(context, scenario.program);
    await scenario.before?.();
    injected.interpreter.tracing();
    expect(await attempt(scenario)).toBe('worked');
    await clear();
    await sleep(20);
    const before = { left: left(), descendants: descendants().length };
    expect(before.left).toEqual([]);
    const points = pointsOf(injected.interpreter.calls());
    const tried = somePoints(points, SHORT);
    const outcomes = { worked: 0, failed: 0 };
    for (const point of tried) {
      const began = Date.now();
      try {
        injected.interpreter.plain();
        await scenario.before?.();
        injected.interpreter.inject(point);
        outcomes[await attempt(scenario)]++;
        await clear();
        // A tracer may be a moment behind what it traced.
        await becomes(() => !left().length && descendants().length <= before.descendants, 20);
        expect(left()).toEqual([]);
        scenario.after?.();
        expect(descendants().length).toBeLessThanOrEqual(before.descendants);
        if (Date.now() - began > SLOW)
          process.stderr.write(`faults, ${scenario.what}: ${point.syscall} number ${point.nth}, ${point.fault}, took ${Date.now() - began} ms\n`);
      } catch (error) {
        throw new Error(`${scenario.what}, ${point.syscall} number ${point.nth}, ${point.fault}: ${(error as Error).message}`, { cause: error });
      }
    }
    process.stderr.write(
      `faults, ${scenario.what}: ${tried.length} of ${points.length} points tried (${outcomes.failed} failed, ${outcomes.worked} went through), 0 left\n`,
    );
    expect(tried.length).toBeGreaterThanOrEqual(20);
  });
}
