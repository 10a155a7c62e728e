import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import type { Readable } from 'node:stream';
import { prctl } from '@lamella/namespace';
import { type Op, PR, start } from '@lamella/syscall';
import type { NamespaceType, OciConfig, OciHook } from '../config/schema.js';
import { setnsFlags } from '../container/namespaces.js';
import { OciError } from '../errors/oci-error.js';

export type HookKind = keyof NonNullable<OciConfig['hooks']> & ('prestart' | 'createRuntime' | 'createContainer' | 'startContainer' | 'poststart' | 'poststop');

/** Where a hook runs: in the namespaces of the runtime, or in those of the container with this process. */
export type HookPlace = { readonly cwd: string } | ContainerPlace;

interface ContainerPlace {
  readonly pid: number;
  readonly namespaces: readonly NamespaceType[];
  /** Ops before the exec of the hook. */
  readonly filter?: readonly Op[];
}

/** Common names of signals that end programs. */
const SIGNALS: Readonly<Record<string, string>> = {
  SIGABRT: 'aborted',
  SIGKILL: 'killed',
  SIGSEGV: 'segmentation fault',
  SIGSYS: 'bad system call',
  SIGTERM: 'terminated',
};

/** Bytes of a hook's stderr in a message. The program may belong to the container, so there is a bound. */
const STDERR_MAX = 64 << 10;

interface Ended {
  readonly status: number | null;
  readonly signal: string | null;
  readonly stderr: string;
  readonly timedOut: boolean;
}

/**
 * Runs the hooks of a kind in order, each with the state on its stdin (config.md, "POSIX-platform Hooks"). The
 * first failure ends the run.
 *
 * @throws OciError `HOOK_FAILED`
 */
export async function runHooks(kind: HookKind, config: OciConfig, state: Record<string, unknown>, place: HookPlace): Promise<void> {
  for (const [i, hook] of (config.hooks?.[kind] ?? []).entries()) await runHook(`hooks.${kind}[${i}] ${hook.path}`, hook, state, place);
}

/** Runs the hooks of a kind in order. A failure is a warning, and the next hook runs. */
export async function tryHooks(
  kind: HookKind,
  config: OciConfig,
  state: Record<string, unknown>,
  place: HookPlace,
  warn: (message: string) => void,
): Promise<void> {
  for (const [i, hook] of (config.hooks?.[kind] ?? []).entries())
    try {
      await runHook(`hooks.${kind}[${i}] ${hook.path}`, hook, state, place);
    } catch (error) {
      warn((error as Error).message);
    }
}

async function runHook(name: string, hook: OciHook, state: Record<string, unknown>, place: HookPlace): Promise<void> {
  const input = JSON.stringify(state);
  const ended = await ('cwd' in place ? onHost(hook, input, place.cwd) : inContainer(hook, input, place)).catch((cause: Error) => {
    throw new OciError({
      code: 'HOOK_FAILED',
      message: `error running hook ${name}: ${cause.message}`,
      hint: 'The path of a hook must be the absolute path of a program.',
      cause,
    });
  });
  if (ended.status === 0 && !ended.timedOut) return;
  const how = ended.timedOut
    ? `took longer than ${hook.timeout} seconds`
    : ended.signal
      ? `signal: ${SIGNALS[ended.signal] ?? ended.signal}`
      : `exit status ${ended.status}`;
  const stderr = ended.stderr.trim();
  throw new OciError({
    code: 'HOOK_FAILED',
    message: `error running hook ${name}: ${how}${stderr ? `, stderr: ${stderr}` : ''}`,
    hint: 'A hook must exit with status 0.',
  });
}

function onHost(hook: OciHook, input: string, cwd: string): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const [argv0 = hook.path, ...args] = hook.args ?? [];
    const child = spawn(hook.path, args, { argv0, cwd, env: environment(hook), stdio: ['pipe', 'ignore', 'pipe'] });
    let timedOut = false;
    const timer = hook.timeout
      ? setTimeout(() => {
          timedOut = true;
          child.kill('SIGKILL');
        }, hook.timeout * 1000)
      : undefined;
    const stderr = collect(child.stderr);
    // The hook may exit without reading its stdin.
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
    child.once('error', reject);
    // Processes that the hook leaves behind may hold its stderr: only its own exit counts.
    child.once('exit', (status, signal) => {
      clearTimeout(timer);
      setImmediate(() => {
        child.stderr.destroy();
        resolve({ status, signal, stderr: stderr(), timedOut });
      });
    });
  });
}

/** Runs a hook in the namespaces of a container. Its path is looked up in the root that the container's process has at that time. */
async function inContainer(hook: OciHook, input: string, { pid, namespaces, filter = [] }: ContainerPlace): Promise<Ended> {
  const pidfd = 5;
  const program: Op[] = [
    { op: 'pidfd_open', pid, flags: 0, out: pidfd },
    ...(namespaces.length ? [{ op: 'setns', fd: pidfd, nstype: setnsFlags(namespaces) } as const] : []),
    { op: 'close', fd: pidfd },
    ...(namespaces.includes('user')
      ? ([
          { op: 'setresgid', rgid: 0, egid: 0, sgid: 0, ignore: ['EINVAL'] },
          { op: 'setresuid', ruid: 0, euid: 0, suid: 0, ignore: ['EINVAL'] },
        ] as const)
      : []),
    {
      op: 'clone',
      flags: 0,
      monitor: 0,
      program: [
        prctl(PR.SET_PDEATHSIG, constants.signals.SIGKILL),
        ...filter,
        { op: 'execve', pathname: hook.path, argv: hook.args?.length ? [...hook.args] : [hook.path], envp: hook.env ?? [] },
      ],
    },
  ];
  const timeout = new AbortController();
  const timer = hook.timeout ? setTimeout(() => timeout.abort(), hook.timeout * 1000) : undefined;
  const running = start(program, { stdio: ['pipe', 'ignore', 'pipe'], signal: timeout.signal });
  const stderr = collect(running.stderr);
  running.stdin?.on('error', () => undefined);
  running.stdin?.end(input);
  try {
    const { exited } = await running.result;
    return {
      status: exited?.status ?? null,
      signal: exited?.signal ? signalName(exited.signal) : null,
      stderr: stderr(),
      timedOut: false,
    };
  } catch (error) {
    if (timeout.signal.aborted) return { status: null, signal: null, stderr: '', timedOut: true };
    throw error;
  } finally {
    clearTimeout(timer);
    running.stderr?.destroy();
  }
}

/** Reads a stream to its end, so that the hook is not blocked. @returns a function that returns the first bytes */
function collect(stream: Readable | null | undefined): () => string {
  const kept: Buffer[] = [];
  let left = STDERR_MAX;
  stream?.on('data', (data: Buffer) => {
    if (left > 0) kept.push(Buffer.from(data.subarray(0, left)));
    left -= data.length;
  });
  return () => `${Buffer.concat(kept).toString()}${left < 0 ? '…' : ''}`;
}

function signalName(signo: number): string {
  return Object.entries(constants.signals).find(([, number]) => number === signo)?.[0] ?? `signal ${signo}`;
}

/** Returns the environment of a hook. Without `env` it inherits this process's environment, as with runc and crun. */
function environment({ env }: OciHook): NodeJS.ProcessEnv {
  if (!env) return process.env;
  return Object.fromEntries(
    env.map((pair) => {
      const at = pair.indexOf('=');
      return at < 0 ? [pair, ''] : [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
}
