import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { Readable } from 'node:stream';
import { Containers, createContainer, ImageStore, type Pool, pool, type RunOptions, run } from '@lamella/engine';
import { busyboxArchive, requiresRoot, type ScratchDirectory, scratch } from '@lamella-test/scratch';
import { execa } from 'execa';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';

/** execa runs each command on the machine itself; a container has to tell of it in the same words. */

let at: ScratchDirectory;
let warm: Pool;
let ways: Readonly<Record<string, (script: string, options: RunOptions) => Promise<unknown>>>;
beforeAll(async () => {
  at = scratch();
  mkdirSync(at.join('rootfs'));
  execFileSync('tar', ['-xf', busyboxArchive(), '-C', at.join('rootfs')]);
  writeFileSync(at.join('input'), 'from a file\n');
  if (process.geteuid?.() !== 0) return;
  const root = at.join('store');
  await new ImageStore(root).import(busyboxArchive(), 'busybox');
  const containers = new Containers(root);
  const { container: lasting } = await containers.run({ image: 'busybox', args: ['sleep', '100000'] });
  const stored = await containers.create({ image: 'busybox' });
  warm = await pool({ root, image: 'busybox', size: 4 });
  const args = (script: string): string[] => ['sh', '-c', script];
  ways = {
    'a pool': (script, options) => warm.run(args(script), options),
    run: (script, options) => run({ root, image: 'busybox', args: args(script) }, options),
    createContainer: async (script, options) => (await createContainer({ root, image: 'busybox', args: args(script) }, options)).result,
    exec: async (script, options) => (await lasting.exec({ args: args(script) }, options)).result,
    'a command in a container': async (script, options) => (await (await stored.fork())[0]?.run({ args: args(script) }, options))?.result,
  };
});
beforeEach((context) => requiresRoot(context));
afterAll(async () => {
  await warm?.[Symbol.asyncDispose]();
  if (process.geteuid?.() === 0) {
    const containers = new Containers(at.join('store'));
    for (const { id } of await containers.list()) await (await containers.get(id)).remove({ force: true });
  }
  await at[Symbol.asyncDispose]();
});

const SCRIPTS = [
  'echo out; echo err >&2',
  String.raw`printf "a\r\nb\n\nc"`,
  ':',
  String.raw`printf "\357\273\277\303\251\342\202\254\n"`,
  String.raw`printf "\377\376x\303"; printf "\n\n" >&2`,
  String.raw`printf "\r\n"; printf "a\n\n" >&2`,
  'echo out; echo err >&2; exit 3',
  'echo before; kill -TERM $$',
  'kill -KILL $$',
  'kill -USR2 $$',
  'cat; echo end',
  'head -c 200000 /dev/zero | tr "\\0" x',
  'exec 0<&-; exec 1>&-; echo e >&2; exit 4',
  'exit 255',
];

const OPTIONS: readonly (() => RunOptions)[] = [
  () => ({}),
  () => ({ lines: true }),
  () => ({ lines: { stdout: true } }),
  () => ({ stripFinalNewline: false }),
  () => ({ stripFinalNewline: { stderr: false } }),
  () => ({ lines: true, stripFinalNewline: false }),
  ...(['buffer', 'hex', 'base64', 'base64url', 'latin1', 'ascii', 'utf16le'] as const).map((encoding) => () => ({ encoding })),
  () => ({ all: true }),
  () => ({ all: true, lines: true }),
  () => ({ buffer: false }),
  () => ({ buffer: { stdout: false } }),
  () => ({ buffer: false, all: true }),
  () => ({ maxBuffer: 3 }),
  () => ({ maxBuffer: { stdout: 2 } }),
  () => ({ maxBuffer: 1, lines: true }),
  () => ({ maxBuffer: 4, encoding: 'buffer' }),
  () => ({ maxBuffer: 4, encoding: 'hex', all: true }),
  () => ({ maxBuffer: 100_000, stripFinalNewline: false }),
  () => ({ stdout: 'ignore' }),
  () => ({ stderr: 'ignore', all: true }),
  () => ({ stdio: 'ignore' }),
  () => ({ stdio: ['ignore', 'pipe', 'ignore'] }),
  () => ({ stdout: ['pipe'] }),
  () => ({ stdout: { file: '/dev/null' } }),
  () => ({ stdout: [{ file: '/dev/null' }, 'pipe'], all: true }),
  () => ({ input: 'typed\n' }),
  () => ({ input: new TextEncoder().encode('bytes') }),
  () => ({ input: Readable.from(['a', 'b']) }),
  () => ({ input: 'x'.repeat(300_000) }),
  () => ({ inputFile: at.join('input') }),
  () => ({ stdin: new Uint8Array([104, 105]) }),
  () => ({ stdin: { file: at.join('input') } }),
];

const SAME = ['failed', 'timedOut', 'isCanceled', 'isMaxBuffer', 'isForcefullyTerminated', 'stdout', 'stderr', 'stdio', 'all'] as const;
/** A command whose output is cut ends by that, or has ended just before. */
const IF_WHOLE = ['exitCode', 'signal', 'isTerminated', 'signalDescription'] as const;

function told(result: unknown): Record<string, unknown> {
  const all = result as Record<string, unknown> & { readonly message?: string; readonly shortMessage?: string };
  const fields: Record<string, unknown> = { error: result instanceof Error };
  for (const key of all.isMaxBuffer ? SAME : [...SAME, ...IF_WHOLE]) fields[key] = all[key];
  // Which of two pipes brings something first is nobody's to say.
  if (typeof all.all === 'string') fields.all = [...all.all].sort().join('');
  if (Array.isArray(all.all)) fields.all = all.all.toSorted();
  // Of an output that is cut while the other comes, what came of the other is chance.
  if (all.isMaxBuffer) for (const key of ['all', 'stdout', 'stderr', 'stdio']) delete fields[key];
  if (all.isMaxBuffer) fields.cut = cutOf(all);
  fields.what = all.shortMessage?.split(': ')[0];
  return fields;
}

/** What there is of the output that was too much. */
function cutOf(result: Record<string, unknown> & { readonly shortMessage?: string }): unknown {
  const name = /Command's (\w+) was/.exec(result.shortMessage ?? '')?.[1] ?? '';
  return [name, result[name]];
}

/** Each script and each options several times; with LAMELLA_LONG all of both. */
const COMMANDS = SCRIPTS.flatMap((script, i) =>
  OPTIONS.flatMap((options, j) => (process.env.LAMELLA_LONG || (i + j) % 5 === 0 ? [[script, options] as const] : [])),
);

test('every result is that of execa', { timeout: 300_000 }, async () => {
  const bin = at.join('rootfs/bin');
  const differences: unknown[] = [];
  let next = 0;
  const work = async (): Promise<void> => {
    for (let i = next++; i < COMMANDS.length; i = next++) {
      const [script, options] = COMMANDS[i] as (typeof COMMANDS)[number];
      const { input, inputFile, stdin, stdio }: RunOptions = options();
      const nothing = input === undefined && inputFile === undefined && stdin === undefined && stdio === undefined;
      const witness = await execa(`${bin}/sh`, ['-c', script], {
        ...(options() as object),
        ...(nothing ? { stdin: 'ignore' } : {}),
        env: { PATH: bin },
        extendEnv: false,
        reject: false,
      });
      const names = Object.keys(ways);
      const chosen = process.env.LAMELLA_LONG ? names : [names[i % names.length] ?? ''];
      for (const name of chosen) {
        const ours = await ways[name]?.(script, { ...options(), reject: false });
        // Which of both outputs is too long first is chance, too.
        const [theirs, own] = [told(witness), told(ours)];
        if (witness.isMaxBuffer && JSON.stringify(theirs.what) !== JSON.stringify(own.what)) continue;
        try {
          expect(own).toEqual(theirs);
        } catch (error) {
          differences.push({
            name,
            script,
            options: Object.fromEntries(Object.entries(options()).map(([key, value]) => [key, String(value).slice(0, 40)])),
            error: String(error).slice(0, 600),
          });
        }
      }
    }
  };
  await Promise.all(Array.from({ length: Math.max(2, availableParallelism()) }, work));
  expect(differences).toEqual([]);
});
