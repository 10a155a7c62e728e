import { cgroupsOf, isFrozen } from '@lamella/cgroup';
import { type ContainerProcess, defaultNamespaces, findUser, join, launch, type ProcessOptions, type StreamingOf } from '@lamella/namespace';
import { CONDITION, observedReads, type Program, RESERVED_SLOTS, SUPERVISE, SyscallError, slotAllocator, unobserved } from '@lamella/syscall';
import { confinement } from '../isolation/confinement.js';
import type { ContainerConfig } from '../model/container-config.js';
import { EngineError } from '../model/engine-error.js';
import type { EngineErrorCode } from '../model/error-codes.js';
import { appendEvent, eventLine } from '../store/events.js';
import { cgroupName } from '../store/identifiers.js';
import { idOf } from '../store/names.js';
import { isPaused, notRunning } from './container-errors.js';
import type { ContainerHandle } from './container-handle.js';
import { processOf } from './processes.js';
import { isStarted } from './state.js';

/** Another command in a container that runs. */
export interface ExecSpec {
  /** The command and its arguments. */
  readonly args: readonly string[];
  /** Beside the container's own. */
  readonly env?: Readonly<Record<string, string>>;
  /** Absolute, inside; it must exist. Default: the container's. */
  readonly cwd?: string;
  /** `NAME|UID[:GROUP|GID]`. Default: the container's. */
  readonly user?: string;
  /** All capabilities, and no filter, whatever the container has. */
  readonly privileged?: boolean;
  /** A new terminal with this size, in characters. Default: none. */
  readonly terminal?: { readonly rows: number; readonly columns: number };
  /** What happens to stdin while there is a terminal: see `ProcessSpec.input` of @lamella/namespace. */
  readonly input?: { readonly forward: boolean; readonly raw: boolean; readonly ended?: boolean };
  /** It goes on without this process. */
  readonly detached?: boolean;
}

/** How such a command is run: as any, except that it has no job control, so nothing reports that it was stopped. */
export type ExecOptions = Omit<ProcessOptions, 'onStopped'>;

/** A command beside a container's init, decided. */
export interface ExecPlan {
  readonly program: Program;
  /** Absolute, inside. */
  readonly cwd: string;
}

/**
 * Decides about a command beside a container's init: in its namespaces and its cgroup, with its filter, its
 * capabilities and its no_new_privs.
 *
 * @param upper absolute path of what the container changed: who its users are may be among that
 * @throws NamespaceError; EngineError `NO_COMMAND`
 */
export async function planExec(config: ContainerConfig, pid: number, upper: string | undefined, spec: ExecSpec): Promise<ExecPlan> {
  const { spec: own, lowers, env } = config;
  if (!spec.args.length)
    throw new EngineError({ code: 'NO_COMMAND', message: 'there is no command to execute', hint: 'lamella exec CONTAINER COMMAND [ARG…]' });
  const user = spec.user === undefined ? config.user : findUser(spec.user, [...(upper === undefined ? [] : [upper]), ...lowers.trees]);
  // What is hidden is hidden in the container's mounts already.
  const { masks, ...confined } = await confinement(spec.privileged ? { ...own, privileged: true, capDrop: [], seccomp: 'unconfined' } : own);
  const slots = slotAllocator();
  const cwd = spec.cwd ?? own.cwd ?? lowers.config.workingDir ?? '/';
  const program = join(
    {
      pid,
      args: spec.args,
      env: { ...env, ...(spec.user === undefined ? {} : { HOME: user.home }), ...(spec.terminal ? { TERM: 'xterm' } : {}), ...spec.env },
      cwd,
      user,
      namespaces: { ...defaultNamespaces(), net: own.network !== 'host', shifted: config.ids !== undefined },
      cgroups: cgroupsOf(pid),
      ...confined,
      ...(own.umask === undefined ? {} : { umask: own.umask }),
      ...(own.rlimits ? { rlimits: own.rlimits } : {}),
      ...(spec.terminal ? { terminal: spec.terminal } : {}),
      ...(spec.input ? { input: spec.input } : {}),
    },
    slots,
  );
  const supervise = {
    op: 'supervise',
    dirfd: -100,
    flags: SUPERVISE.DETACHED,
    log_size: 0,
    log_files: 1,
    restart: 0,
    restart_limit: 0,
    events: -1,
    attributes: '',
    detach_keys: '',
  } as const;
  return { program: [...(spec.detached ? [supervise] : []), ...program], cwd };
}

/**
 * Plans a command in a running container.
 *
 * @param now the time of its event
 * @throws EngineError `NO_COMMAND`; NamespaceError `USER_NOT_FOUND`
 */
export async function planExecIn(container: ContainerHandle, running: RunningContainer, upper: string, spec: ExecSpec, now: Date): Promise<ExecPlan> {
  const { program, cwd } = await planExec(container.config, running.pid, upper, spec);
  const event = eventLine('exec', { id: container.id, name: running.name, image: container.config.image }, now);
  return { program: [...appendEvent(container.record.containers, event, RESERVED_SLOTS[0]), ...program], cwd };
}

/** A running container, as it was when it was looked at. */
export interface RunningContainer {
  /** The host's pid of its init. */
  readonly pid: number;
  readonly name: string | undefined;
}

/**
 * Looks whether a container runs.
 *
 * @throws EngineError `CONTAINER_NOT_RUNNING`, `CONTAINER_PAUSED`
 */
export async function runningIn(container: ContainerHandle): Promise<RunningContainer> {
  const { status, pid, monitor, name } = await unobserved(() => container.state());
  if (status === 'paused') throw isPaused(container, 'run a command in');
  if (!isStarted(status) || pid === undefined || monitor === undefined) throw notRunning(container);
  if (observedReads()) await observeRunning(container, { pid, monitor, name });
  return { pid, name };
}

/** Notes, for the launcher, by what it sees that the container still runs, is not paused, and has the same name. */
async function observeRunning(
  { root, id, directory, record }: ContainerHandle,
  { pid, monitor, name }: RunningContainer & { readonly monitor: number },
): Promise<void> {
  const init = await unobserved(() => processOf(pid));
  observedReads()?.add({ kind: CONDITION.RUNNING, name: directory, numbers: [monitor, pid, init?.started ?? 0].map(BigInt), text: '' });
  await isFrozen({ pid, name: cgroupName(id, root) });
  if (name !== undefined) await idOf(record.containers, name);
}

/** Starts it; what fails then rejects `result`. */
export function execIn<O extends ProcessOptions>({ program, cwd }: ExecPlan, id: string, { args }: ExecSpec, options: O): ContainerProcess<StreamingOf<O>> {
  const running = launch<O>(program, args, options);
  const explain = (error: unknown): never => {
    throw explainExecFailure(error, id, cwd);
  };
  return { ...running, result: running.settle(running.outcome.catch(explain)) };
}

/** Explains a failed call of an exec. */
export function explainExecFailure(error: unknown, id: string, cwd: string): unknown {
  if (!(error instanceof SyscallError)) return error;
  const { op, code } = error;
  const make = (code: EngineErrorCode, message: string, hint: string): EngineError => new EngineError({ code, message, hint, cause: error });
  if ((op.op === 'pidfd_open' || op.op === 'setns') && code === 'ESRCH')
    return make('CONTAINER_NOT_RUNNING', `the container ${id} has just ended`, `lamella start ${id}`);
  if (op.op === 'openat2' && op.pathname === cwd)
    return make('CWD_INVALID', `the directory ${cwd} cannot be entered in the container: ${code}`, 'It must exist there: name another with -w.');
  if (op.op === 'pty' || (op.op === 'openat2' && op.pathname === '/dev/pts'))
    return make('TERMINAL_UNAVAILABLE', `the container has no terminals to give: ${code}`, 'Its /dev/pts is not what it was; go without -t.');
  return error;
}
