import { explainRun, ImageStore, type RunSpec } from '@lamella/engine';
import { AT_FDCWD, callsOf, FD_FIELDS, interpreterPath, type Op, type Program } from '@lamella/syscall';
import { busyboxArchive, requiresProgram, requiresRoot, scratch } from '@lamella-test/scratch';
import { expect, test } from 'vitest';
import { readTrace, type TracedCall, tracingInterpreter } from './strace.js';
import { traced } from './traced-run.js';

type Rest = Omit<RunSpec, 'image' | 'root'>;

/** What the interpreter does beside the ops: frames, replies, signals, and its talk with the monitor. */
const BOOKKEEPING = /^(rt_sigprocmask|ppoll|sendmsg)\(|^prctl\(PR_SET_NAME, "lamella-init"|^read\(3,|^write\(4,|^(clock_gettime|accept4)\(/;

const SPECS: readonly (readonly [what: string, spec: Rest])[] = [
  ['the plainest run', { args: ['/bin/true'], init: false }],
  [
    'a run with everything',
    {
      args: ['sh', '-c', 'true'],
      env: { A: 'b "quoted" \\ ü\n', PATH: '/nowhere:/bin' },
      user: 'nobody:users',
      cwd: '/made/for/it',
      hostname: 'traced',
      init: true,
      keep: true,
      readonlyRoot: true,
      network: 'host',
      umask: 0o27,
      rlimits: [{ name: 'nofile', soft: 64, hard: 128 }],
      terminal: { rows: 24, columns: 80 },
      tmpfs: [{ destination: '/scratch', size: '1m', mode: '700' }],
      volumes: [{ source: '/usr/share', destination: '/mnt/share', readonly: true }],
    },
  ],
];

for (const [what, rest] of SPECS) {
  test(`strace sees of ${what} the calls that explain told: the same, in the same order`, async (context) => {
    requiresRoot(context);
    const strace = requiresProgram(context, 'strace');
    await using at = scratch();
    const spec: RunSpec = { ...rest, image: 'busybox', root: at.join('store') };
    await new ImageStore(at.join('store')).import(busyboxArchive(), 'busybox');
    const program = await explainRun(spec);
    const log = at.join('trace');
    await traced(tracingInterpreter(at.join('init'), { strace, interpreter: interpreterPath(), log }), spec);
    const [monitor = [], ...children] = sameContainer(readTrace(log), program);
    const leave = program.flatMap((op) => (op.op === 'on_exit' ? op.program : []));
    const clone = program.find((op) => op.op === 'clone');
    const descriptors = new Map<number, string>();

    const own = monitor
      .slice(monitor.findIndex(({ name }) => name === 'execveat') + 1)
      .filter(({ name, text }) => name !== 'close_range' && !BOOKKEEPING.test(text));
    const cloned = own.findIndex(({ name }) => name === 'clone3') + 1;
    const ended = own.findIndex(({ text }) => text.startsWith('waitid(P_PID')) + 1;
    follow(program, own.slice(0, cloned), descriptors);
    // What the monitor writes down by itself comes before, and the event of the removal after it.
    const released = own.slice(ended).filter(({ name, text }) => name !== 'exit_group' && !text.includes('\\"event\\":\\"destroy'));
    follow(leave, released.slice(released.findIndex((call) => startsWith(leave[0], call, descriptors))), descriptors);

    // The socket's other end is closed first; with an init a separate process does the rest.
    const [first = [], second = []] = children.map((calls) => calls.filter(({ text }) => !BOOKKEEPING.test(text)));
    const ops = clone?.op === 'clone' ? clone.program : [];
    const split = rest.init ? ops.findIndex(({ op }) => op === 'init') + 1 : ops.length;
    const last = rest.init ? first.slice(1, first.findIndex(({ name }) => name === 'clone') + 1) : first.slice(1);
    follow(ops.slice(0, split), last, descriptors);
    if (rest.init) follow(ops.slice(split), second, descriptors);
  });
}

/** The id of a container, its generated name and when it was made differ from run to run: give those that were seen the explained ones. */
function sameContainer(trace: readonly (readonly TracedCall[])[], program: Program): TracedCall[][] {
  const made = /"([^"]*\/containers\/)([0-9a-f]{12})"/;
  const given = /\/containers\/\.given\/([a-z_0-9]+)/;
  const names = [trace.flat().map(({ text }) => text), program.map((op) => (op.op === 'mkdirat' ? String(op.pathname) : ''))].map(
    (texts) => texts.flatMap((text) => given.exec(text)?.[1] ?? [])[0] ?? '-',
  );
  const ids = trace.flat().flatMap(({ name, text }) => (name === 'mkdirat' ? (made.exec(text)?.[2] ?? []) : []));
  const directory = program.flatMap((op) => (op.op === 'mkdirat' ? [String(op.pathname)] : [])).find((each) => /\/containers\/[0-9a-f]{12}$/.test(each)) ?? '';
  const config = program.flatMap((op) => (op.op === 'write_file' && String(op.pathname).endsWith('/config.json') ? [String(op.data)] : []));
  const created = /"created":"([^"]+)"/.exec(config[0] ?? '')?.[1] ?? '';
  // The seal of the file: of its time, id and name, too.
  const sum = /"sum":"([^"]+)"/.exec(config[0] ?? '')?.[1] ?? '';
  const [seen = '-', explained = '-'] = names;
  // What is written is as much longer as the name is.
  const longer = (text: string): number => (text.startsWith('write(') ? (text.split(seen).length - 1) * (explained.length - seen.length) : 0);
  const same = (text: string): string =>
    text
      .replace(/, (\d+)\)$/, (whole, length: string) => (longer(text) ? `, ${Number(length) + longer(text)})` : whole))
      .replaceAll(seen, explained)
      .replaceAll(ids[0] ?? directory.slice(-12), directory.slice(-12))
      .replace(/(\\"created\\":\\")[^"\\]+/, (_, key: string) => `${key}${created}`)
      .replace(/(\\"sum\\":\\")[^"\\]+/, (_, key: string) => `${key}${sum}`);
  return trace.map((calls) => calls.map((call) => ({ ...call, text: same(call.text) })));
}

/** Walk ops and what was seen side by side. Whatever comes after a successful execve is not ours. */
function follow(ops: Program, seen: readonly TracedCall[], descriptors: Map<number, string>): void {
  const { at, executed } = followSome(ops, seen, descriptors, { at: 0, ignored: [] });
  if (!executed) expect(seen.slice(at).map(({ text }) => text)).toEqual([]);
}

/** The same from a place on, for a program that may end with some errors. */
function followSome(
  ops: Program,
  seen: readonly TracedCall[],
  descriptors: Map<number, string>,
  start: { readonly at: number; readonly ignored: readonly string[] },
): { readonly at: number; readonly executed: boolean } {
  const expected = ops.map((op) => ({ op, calls: () => callsOf(op, (slot) => Number(descriptors.get(slot) ?? slot)) }));
  let { at } = start;
  for (const [i, { op, calls }] of expected.entries()) {
    // An op on a descriptor that an allowed failure left unopened makes no call.
    if (slotsOf(op).some((slot) => slot >= 5 && !descriptors.has(slot))) continue;
    if (op.op === 'attempt') {
      const inner = followSome(op.program, seen, descriptors, { at, ignored: op.ignore ?? [] });
      if (inner.executed) return inner;
      at = inner.at;
      continue;
    }
    let value = '';
    for (const call of calls()) {
      const found = seen[at++];
      expect(found?.text ?? 'nothing more').toMatch(pattern(call.text));
      // What an op opened is what its call returned; of a pty's calls the one that opens the slave.
      if (op.op !== 'pty' || call.text.includes('TIOCGPTPEER')) value = found?.result ?? '';
      const next = expected[i + 1];
      while (call.repeats?.includes(seen[at]?.name ?? '') && !(calls().length === 1 && next && startsWith(next.op, seen[at], descriptors))) {
        const repeated = seen[at++];
        // A compound op goes on where its first call failed; what counts is what it opened at last.
        if (repeated?.name === 'openat2' && !repeated.result.startsWith('-1')) value = repeated.result;
      }
    }
    if (op.op === 'execve' && value === '0') return { at, executed: true };
    const compound = calls().some(({ repeats }) => repeats);
    const failure = value.startsWith('-1') && !compound ? value.slice(3) : undefined;
    // The rest of an attempt is left out.
    if (failure && !op.ignore?.includes(failure) && start.ignored.includes(failure)) return { at, executed: false };
    if (failure) expect(op.ignore ?? []).toContain(failure);
    else if ('out' in op) descriptors.set(op.out, value);
    if (op.op === 'close') descriptors.delete(op.fd);
  }
  return { at, executed: false };
}

function startsWith(op: Op | undefined, call: TracedCall | undefined, descriptors: ReadonlyMap<number, string>): boolean {
  const [first] = op ? callsOf(op, (slot) => Number(descriptors.get(slot) ?? slot)) : [];
  return first !== undefined && call !== undefined && pattern(first.text).test(call.text);
}

function slotsOf(op: Op): number[] {
  const fields = op as unknown as Record<string, unknown>;
  return [...FD_FIELDS].map((name) => fields[name]).filter((slot): slot is number => typeof slot === 'number' && slot !== AT_FDCWD);
}

/** `…` stands for values that the kernel chooses. */
function pattern(text: string): RegExp {
  const exact = text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replaceAll('…', '.*');
  return new RegExp(`^${exact.replace('stack_size=0\\}, 88', 'stack_size=0\\}(?: => \\{.*\\})?, 88')}$`, 's');
}
