import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import path from 'node:path';
import { Readable, Writable } from 'node:stream';
import { pathToFileURL } from 'node:url';
import { busyboxArchive, requiresRoot, type ScratchDirectory, scratch } from '@lamella-test/scratch';
import { afterAll, beforeAll, beforeEach, describe, expect, expectTypeOf, test } from 'vitest';
import { CommandError, type Container, Containers, createContainer, ImageStore, pool, type RunOptions, run, type StoredContainer } from '../index.js';

let at: ScratchDirectory;
let root: string;
let lasting: StoredContainer;
beforeAll(async () => {
  at = scratch();
  root = at.join('store');
  if (process.geteuid?.() !== 0) return;
  await new ImageStore(root).import(busyboxArchive(), 'busybox');
  ({ container: lasting } = await new Containers(root).run({ image: 'busybox', args: ['sleep', '100000'] }));
});
afterAll(async () => {
  await lasting?.remove({ force: true });
  await at[Symbol.asyncDispose]();
});
beforeEach((context) => requiresRoot(context));

const spec = (script: string) => ({ root, image: 'busybox', args: ['sh', '-c', script] });
const textOf = async (stream: AsyncIterable<unknown>): Promise<string> => (await Array.fromAsync(stream)).join('');

/** Each way to have the streams of a command. */
const WAYS = {
  createContainer: <const O extends RunOptions>(script: string, options: O) => createContainer(spec(script), options),
  exec: <const O extends RunOptions>(script: string, options: O) => lasting.exec({ args: ['sh', '-c', script] }, options),
} as const;

describe.for(Object.keys(WAYS) as (keyof typeof WAYS)[])('streams of %s', (way) => {
  const start = WAYS[way];

  test('bring everything, however late they are read, and as often as they are', async () => {
    const running = await start('echo one; echo err >&2; echo two', { all: true });
    const result = await running.result;
    expect(await textOf(running.stdout)).toBe('one\ntwo\n');
    expect(await textOf(running.stderr)).toBe('err\n');
    expect((await textOf(running.all)).split('\n').sort()).toEqual(['', 'err', 'one', 'two']);
    expect(await textOf(running.readable())).toBe('one\ntwo\n');
    expect(await Array.fromAsync(running)).toEqual(['one', 'two']);
    expect(result).toMatchObject({ stdout: 'one\ntwo', stderr: 'err' });
  });

  test('hold the command back when nothing is collected, and lose nothing', async () => {
    const running = await start('for i in $(seq 100); do head -c 200000 /dev/zero; echo $i >&2; done', { buffer: { stdout: false } });
    let [written, length, most] = [0, 0, 0];
    running.stderr.on('data', (chunk: Buffer) => {
      written += String(chunk).split('\n').length - 1;
    });
    for await (const chunk of running.stdout) {
      length += (chunk as Buffer).length;
      most = Math.max(most, written * 200_000 - length);
      // What is read slowly is written slowly.
      if (length < 3_000_000) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    expect(length).toBe(20_000_000);
    expect(most).toBeLessThan(1_000_000);
    expect(await running.result).toMatchObject({ exitCode: 0, stdout: undefined });
  });

  test('that nobody reads do not keep a result from coming, and say that they are gone', async () => {
    const running = await start('head -c 1000000 /dev/zero; echo end >&2', { buffer: { stdout: false } });
    expect(await running.result).toMatchObject({ exitCode: 0, stdout: undefined, stderr: 'end' });
    await expect(textOf(running.stdout)).rejects.toMatchObject({ code: 'OUTPUT_DROPPED' });
    const short = await start('echo short', { buffer: false });
    await short.result;
    expect(await textOf(short.stdout)).toBe('short\n');
  });

  test('of which one is read do not wait for the other', async () => {
    const running = await start('head -c 1000000 /dev/zero; echo done >&2', { buffer: false, all: true });
    let length = 0;
    for await (const chunk of running.all) length += (chunk as Buffer).length;
    expect(length).toBe(1_000_005);
    await running.result;
    await expect(textOf(running.stdout)).rejects.toMatchObject({ code: 'OUTPUT_DROPPED' });
  });

  test('that pass maxBuffer fail, after what was read', async () => {
    const running = await start('yes', { maxBuffer: 1000 });
    let length = 0;
    const reading = (async () => {
      for await (const chunk of running.stdout) length += (chunk as Buffer).length;
    })();
    await expect(reading).rejects.toMatchObject({ code: 'MAX_BUFFER' });
    expect(length).toBeGreaterThanOrEqual(1000);
    const result = await running.result;
    expect(result).toMatchObject({ isMaxBuffer: true, failed: true, code: 'MAX_BUFFER' });
    expect(`${result.stdout}\n`).toHaveLength(1000);
    await expect(start('yes', { maxBuffer: 1000, reject: true }).then(({ result: failing }) => failing)).rejects.toBeInstanceOf(CommandError);
  });

  const leave: Record<string, (running: { readonly stdout: Readable } & AsyncIterable<string>) => Promise<void>> = {
    'the loop over the stream': async ({ stdout }) => {
      for await (const _ of stdout) break;
    },
    'the loop over lines': async (running) => {
      for await (const _ of running) break;
    },
    'the stream, destroyed': async ({ stdout }) => {
      await new Promise((resolve) => stdout.once('data', resolve));
      stdout.destroy();
    },
    'the stream, never read': async ({ stdout }) => {
      stdout.destroy();
    },
  };
  test.for(Object.keys(leave).flatMap((how) => [true, false].map((buffer) => [how, buffer] as const)))(
    'a reader that leaves %s ends the command (buffer: %s)',
    async ([how, buffer]) => {
      const running = await start('while :; do echo y; done', { buffer });
      await leave[how]?.(running);
      expect(await running.result).toMatchObject({ signal: 'SIGPIPE', isTerminated: true });
    },
  );

  test('go on when one of several readers leaves', async () => {
    const running = await start('for i in 1 2 3 4 5 6 7 8 9; do echo $i; done', {});
    const other = running.readable();
    for await (const _ of running.readable()) break;
    expect(await textOf(other)).toBe('1\n2\n3\n4\n5\n6\n7\n8\n9\n');
  });

  test('tell why an input failed', async () => {
    const failing = () =>
      new Readable({ read: () => undefined, construct: (done) => done() }).on('newListener', function (this: Readable) {
        setImmediate(() => this.destroy(new Error('the disk is gone')));
      });
    const result = (await start('cat', { input: failing() })).result;
    await expect(result).rejects.toMatchObject({ code: 'STREAM_FAILED', failed: true, exitCode: 0, cause: { message: 'the disk is gone' } });
    const told = await (await start('cat; exit 3', { input: failing(), reject: false })).result;
    expect(told).toMatchObject({ code: 'COMMAND_FAILED', exitCode: 3, cause: { message: 'the disk is gone' } });
    expect(told.message).toContain('the disk is gone');
    await expect((await start('cat', { stdin: Readable.from([{}]) })).result).rejects.toMatchObject({ cause: { code: 'INPUT_FAILED' } });
  });

  test('are files that can be opened, or nothing is started', async () => {
    const [none, ran] = [at.join('none'), at.join(`ran-${way}`)];
    const fails = async (options: RunOptions, code: string, cause: string): Promise<void> =>
      expect((async () => (await start(`echo ran >${ran}`, options)).result)()).rejects.toMatchObject({
        code,
        hint: expect.any(String),
        cause: { code: cause },
      });
    for (const input of [{ inputFile: none }, { inputFile: pathToFileURL(none) }, { stdin: { file: none } }, { stdin: ['pipe', { file: none }] }] as const)
      await fails(input, 'INPUT_FAILED', 'ENOENT');
    await fails({ inputFile: at.path }, 'INPUT_FAILED', 'EISDIR');
    const file = path.join(none, 'file');
    for (const output of [{ stdout: { file } }, { stderr: pathToFileURL(file) }, { stdout: ['pipe', { file, append: true }] }] as const)
      await fails(output, 'OUTPUT_FAILED', 'ENOENT');
    await fails({ stdout: { file: at.path } }, 'OUTPUT_FAILED', 'EISDIR');
    expect(existsSync(ran)).toBe(false);
    // It can be used after that.
    expect(await (await start('echo ok', {})).result).toMatchObject({ stdout: 'ok' });
  });

  test('that the command does not read are no failure, and let go of the input', async () => {
    const endless = new Readable({
      read() {
        this.push('x'.repeat(10_000));
      },
    });
    const silent = new Readable({ read: () => undefined });
    expect(await (await start('exec 0<&-; sleep 0.05; echo ok', { input: endless })).result).toMatchObject({ stdout: 'ok', failed: false });
    expect(await (await start('echo ok', { input: silent })).result).toMatchObject({ stdout: 'ok', failed: false });
    expect([endless.destroyed, silent.destroyed]).toEqual([true, true]);
  });

  test('are written by hand', async () => {
    const running = await start('cat; cat >&2', { stdin: 'pipe' });
    running.stdin.write('typed ');
    running.stdin.end('and ended');
    expect(await running.result).toMatchObject({ stdout: 'typed and ended' });
  });

  test('lead to files and streams, which have all of it when the result is there', async () => {
    const [file, log] = [at.join(`file-${way}`), at.join(`log-${way}`)];
    const chunks: Buffer[] = [];
    const slow = new Writable({
      highWaterMark: 1000,
      write: (chunk, _, done) => void setImmediate(() => done(void chunks.push(chunk))),
    });
    const script = 'head -c 300000 /dev/zero; echo err >&2';
    const options = { stdout: [{ file }, slow, 'pipe'], stderr: pathToFileURL(log), buffer: { stdout: false } } as const;
    const running = await start(script, options);
    expect(await running.result).toMatchObject({ stdout: undefined, stderr: 'err' });
    expect(readFileSync(file)).toHaveLength(300_000);
    expect(Buffer.concat(chunks)).toHaveLength(300_000);
    await (await start('echo more', { stdout: { file: log, append: true } })).result;
    expect(readFileSync(log, 'utf8')).toBe('err\nmore\n');
    const broken = new Writable({ write: (_, __, done) => done(new Error('full')) });
    await expect((await start('yes', { stdout: broken })).result).rejects.toMatchObject({ cause: { message: 'full' } });
  });

  test('lines come as they are written, and fail at the end as the result does', async () => {
    const running = await start('echo a; echo b; printf c; exit 3', { reject: true });
    const lines: string[] = [];
    const reading = (async () => {
      for await (const line of running) lines.push(line);
    })();
    await expect(reading).rejects.toMatchObject({ code: 'COMMAND_FAILED', exitCode: 3, stdout: 'a\nb\nc' });
    expect(lines).toEqual(['a', 'b', 'c']);
  });

  test('an end by timeout, by force, by cancelling and by kill is told', async () => {
    const stubborn = 'trap "" TERM; while :; do sleep 0.02; done';
    const result = async (script: string, options: RunOptions) => (await start(script, options)).result;
    expect(await result('sleep 0.1; echo ok', { timeout: 0 })).toMatchObject({ stdout: 'ok', timedOut: false });
    expect(await result('exec sleep 1000', { timeout: 30 })).toMatchObject({ timedOut: true, signal: 'SIGTERM', code: 'COMMAND_TIMED_OUT' });
    expect(await result(stubborn, { timeout: 300, forceKillAfterDelay: 30 })).toMatchObject({
      timedOut: true,
      signal: 'SIGKILL',
      isForcefullyTerminated: true,
      shortMessage: expect.stringContaining('timed out after 300 milliseconds and was forcefully terminated after 30 milliseconds: sh -c '),
    });
    expect(await result('exec sleep 1000', { timeout: 30, killSignal: 'SIGUSR2' })).toMatchObject({ signal: 'SIGUSR2' });
    const reason = new Error('not wanted');
    const canceled = { isCanceled: true, signal: 'SIGTERM', code: 'COMMAND_CANCELED', cause: reason };
    await expect(result('exec sleep 1000', { cancelSignal: AbortSignal.abort(reason) })).rejects.toMatchObject(canceled);
    expect(await result('exec sleep 1000', { cancelSignal: AbortSignal.abort(reason), reject: false })).toMatchObject(canceled);
    const running = await start('exec sleep 1000', {});
    expect(running.kill(reason)).toBe(true);
    expect(await running.result).toMatchObject({ signal: 'SIGTERM', cause: reason, originalMessage: 'not wanted' });
    expect(running.kill()).toBe(false);
    expect(() => running.kill('SIGNONE' as never)).toThrow(expect.objectContaining({ code: 'SIGNAL_UNKNOWN' }));
  });
});

test('a command ends by signals that it does not handle, and one that is process 1 by force', async () => {
  expect(await run(spec('kill -SEGV $$'))).toMatchObject({ signal: 'SIGSEGV' });
  expect(await run(spec('kill -TERM $$; echo on'))).toMatchObject({ signal: 'SIGTERM', stdout: '' });
  const first = await createContainer({ ...spec('exec sleep 1000'), init: false }, { forceKillAfterDelay: 30 });
  await first.started;
  first.kill();
  expect(await first.result).toMatchObject({ signal: 'SIGKILL', isForcefullyTerminated: true });
});

test('an attached stream that nobody reads holds back neither the other nor the container', async () => {
  const { container, attached } = await new Containers(root).run(
    { image: 'busybox', args: ['sh', '-c', 'head -c 500000 /dev/zero; echo end >&2; head -c 500000 /dev/zero'], remove: true },
    { attach: true },
  );
  expect(await textOf(attached.stderr)).toBe('end\n');
  await attached.ended;
  await expect(textOf(attached.stdout)).rejects.toMatchObject({ code: 'OUTPUT_DROPPED' });
  await container.wait().catch(() => undefined);
});

test('the end of an attached container comes although nobody reads its output', async () => {
  const { container, attached } = await new Containers(root).run(
    { image: 'busybox', args: ['sh', '-c', 'head -c 300000 /dev/zero; exit 3'], remove: true },
    { attach: true },
  );
  expect(await attached.ended).toEqual({ exitCode: 3, signal: undefined });
  await expect(textOf(attached.stdout)).rejects.toMatchObject({ code: 'OUTPUT_DROPPED' });
  await container.wait().catch(() => undefined);
});

test('a command whose stream has failed is ended also without a delay for that', async () => {
  const goesOn = 'trap "" PIPE; while :; do echo line 2>/dev/null; sleep 0.01; done';
  const options = { maxBuffer: 100, forceKillAfterDelay: false } as const;
  expect(await run(spec(goesOn), options)).toMatchObject({ isMaxBuffer: true, signal: 'SIGTERM', isForcefullyTerminated: false });
  // Process 1 gets no signal that it does not handle.
  expect(await run({ ...spec(goesOn), init: false }, options)).toMatchObject({ isMaxBuffer: true, signal: 'SIGKILL', isForcefullyTerminated: true });
});

test('a pool tells that a command was stopped, as a run does', async () => {
  await using warm = await pool({ root, image: 'busybox', size: 1 });
  const script = '(sleep 0.3; kill -CONT $$) & kill -STOP $$; echo on';
  const stopped: number[] = [];
  const options = { onStopped: (signal: number) => void stopped.push(signal), timeout: 5000 };
  expect(await run(spec(script), options)).toMatchObject({ stdout: 'on' });
  expect(await warm.run(['sh', '-c', script], options)).toMatchObject({ stdout: 'on' });
  expect(stopped).toEqual([constants.signals.SIGSTOP, constants.signals.SIGSTOP]);
});

test('a pool carries streams, and keeps no process alive', async () => {
  await using warm = await pool({ root, image: 'busybox', size: 1 });
  const file = at.join('pooled');
  expect(await warm.run(['cat'], { input: 'typed', stdout: { file }, lines: true })).toMatchObject({ stdout: ['typed'] });
  expect(readFileSync(file, 'utf8')).toBe('typed');
  await expect(warm.run(['cat'], { input: Readable.from([1]) })).rejects.toMatchObject({ code: 'STREAM_FAILED' });
  const other = at.join('other-store');
  const script = `import { ImageStore, pool } from ${JSON.stringify(path.join(import.meta.dirname, '../../dist/index.js'))};
    await new ImageStore(${JSON.stringify(other)}).import(${JSON.stringify(busyboxArchive())}, 'busybox');
    const warm = await pool({ root: ${JSON.stringify(other)}, image: 'busybox', size: 3 });
    console.log((await warm.run(['echo', 'pooled'])).stdout);`;
  const { stdout, stderr, status } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8', timeout: 50_000 });
  expect({ stdout, stderr, status }).toEqual({ stdout: 'pooled\n', stderr: '', status: 0 });
  const left = (): string[] => (existsSync(`${other}/containers`) ? readdirSync(`${other}/containers`).filter((name) => !name.startsWith('.')) : []);
  for (let i = 0; i < 1000 && left().length; i++) await new Promise((resolve) => setTimeout(resolve, 10));
  expect(left()).toEqual([]);
});

test('ports are published by the network that can', async () => {
  const publish = [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }] as const;
  for (const network of ['none', 'host', undefined] as const)
    await expect(run({ ...spec('true'), publish, ...(network ? { network } : {}) })).rejects.toMatchObject({ code: 'PUBLISH_INVALID' });
});

test('types follow the options', () => {
  type Result<O extends RunOptions> = Awaited<ReturnType<typeof run<O>>>;
  expectTypeOf<Result<Record<never, never>>['stdout']>().toEqualTypeOf<string>();
  expectTypeOf<Result<{ encoding: 'buffer' }>['stdout']>().toEqualTypeOf<Uint8Array>();
  expectTypeOf<Result<{ lines: true }>['stderr']>().toEqualTypeOf<string[]>();
  expectTypeOf<Result<{ lines: { stdout: true } }>['stderr']>().toEqualTypeOf<string>();
  expectTypeOf<Result<{ buffer: false }>['stdout']>().toEqualTypeOf<undefined>();
  expectTypeOf<Result<{ stdout: 'ignore' }>['stdout']>().toEqualTypeOf<undefined>();
  expectTypeOf<Result<{ stdio: 'inherit' }>['stderr']>().toEqualTypeOf<undefined>();
  expectTypeOf<Result<{ stdio: readonly ['ignore', 'pipe', 'ignore'] }>['stdout']>().toEqualTypeOf<string>();
  expectTypeOf<Result<{ all: true }>['all']>().toEqualTypeOf<string>();
  expectTypeOf<Result<Record<never, never>>['all']>().toEqualTypeOf<undefined>();
  expectTypeOf<Result<RunOptions>['stdout']>().toEqualTypeOf<string | string[] | Uint8Array | undefined>();
  type Streams<O extends RunOptions> = Awaited<ReturnType<typeof createContainer<O>>>;
  expectTypeOf<Streams<Record<never, never>>['stdout']>().toEqualTypeOf<Readable>();
  expectTypeOf<Streams<Record<never, never>>['stdin']>().toEqualTypeOf<null>();
  expectTypeOf<Streams<{ stdin: 'pipe' }>['stdin']>().toEqualTypeOf<Writable>();
  expectTypeOf<Streams<{ stdout: 'inherit' }>['stdout']>().toEqualTypeOf<null>();
  expectTypeOf<Streams<{ all: true; encoding: 'buffer' }>>().toExtend<Container>();
});
