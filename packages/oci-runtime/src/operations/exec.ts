import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type ContainerCgroup, isCgroupFrozen, joinCgroup } from '@lamella/cgroup';
import { prctl, takeTerminal } from '@lamella/namespace';
import { AT_FDCWD, MONITOR_LEAVES, O, type Op, openInRoot, PR, type Program, type Running, slotAllocator } from '@lamella/syscall';
import { checkProcess } from '../config/check-config.js';
import { readStoredConfig } from '../config/read-config.js';
import type { OciConfig, OciProcess } from '../config/schema.js';
import { setnsFlags } from '../container/namespaces.js';
import { Steps } from '../container/steps.js';
import { OciError } from '../errors/oci-error.js';
import { explainError, withPurpose } from '../errors/op-purposes.js';
import { canSetGroups, isInitialRoot } from '../host/initial-root.js';
import { writePidFile } from '../host/pid-file.js';
import type { ExecOptions } from '../model/exec-options.js';
import { affinity, rlimits, scheduling } from '../process/attributes.js';
import { environmentOf } from '../process/environment.js';
import { execOps, ownStdio } from '../process/exec-ops.js';
import { checkFound, probeCommand } from '../process/execute.js';
import { grantable, switchUser } from '../process/identity.js';
import { sendListener } from '../process/seccomp-listener.js';
import { securityLabels } from '../process/security-labels.js';
import { checkConsole, terminalOps } from '../process/terminal.js';
import { joinRdtGroup } from '../resources/intel-rdt.js';
import { readStored, type StoredContainer, stateOf, statusOf } from '../state/stored-container.js';
import { EXEC_OPTIONS, readOptions } from './option-shapes.js';

/** A process that was started in a running container. */
export interface ExecutedProcess {
  /** Its pid on the host. */
  readonly pid: number;
  /** Its monitor. It has ended if the process is detached. */
  readonly running: Running;
}

/**
 * Runs a process in a running container, with the rights that its specification grants. Resolves once the process has been
 * executed.
 *
 * @throws OciError `CONTAINER_NOT_RUNNING`, `CONTAINER_PAUSED`, `COMMAND_NOT_FOUND`, `COMMAND_NOT_EXECUTABLE`, `CONFIG_INVALID`
 */
export async function execInContainer(asked: ExecOptions): Promise<ExecutedProcess> {
  const options = readOptions('execInContainer(options)', asked, EXEC_OPTIONS);
  const found = readStored(options.root, options.id);
  const { stored, directory } = found;
  const status = statusOf(found);
  if (status !== 'running' && status !== 'created' && status !== 'paused')
    throw new OciError({
      code: 'CONTAINER_NOT_RUNNING',
      message: `cannot exec in a ${status === 'stopped' ? 'stopped' : status} container`,
      hint: `Show its state: lamella-oci state ${options.id}`,
    });
  if (!options.ignorePaused && isCgroupFrozen(stored.cgroup))
    throw new OciError({
      code: 'CONTAINER_PAUSED',
      message: 'cannot exec in a paused container (use --ignore-paused to override)',
      hint: `Resume it first: lamella-oci resume ${options.id}`,
    });
  const config = readStoredConfig(directory.config);
  const given = options.processOf(config);
  checkProcess(given, 'exec');
  const spec = { ...given, env: environmentOf(given, `/proc/${stored.init?.pid}/root`, options.preserved.listening) };
  checkConsole(spec, options.console);
  const programs = execPrograms(spec, config, stored, options);
  const descriptors = Array.from({ length: options.preserved.count }, (_, i) => 3 + i);
  const steps = new Steps(programs.first, { stdio: ['inherit', 'inherit', 'inherit'], descriptors });
  try {
    const pid = await steps.valueOf(programs.clone);
    options.log.debug(`exec in ${options.id}: process ${pid} is in the container's namespaces`);
    joinCgroupOf(stored, pid, options.cgroups);
    if (stored.rdt) joinRdtGroup(stored.rdt, pid);
    if (spec.oomScoreAdj !== undefined) writeFileSync(`/proc/${pid}/oom_score_adj`, String(spec.oomScoreAdj));
    checkFound(spec.args ?? [], programs.enter, await steps.go(programs.enter));
    if (options.pidFile) writePidFile(options.pidFile, pid);
    steps.begin(programs.last);
    const filter = programs.last.find(({ op, reply }) => op === 'seccomp' && reply);
    if (filter) {
      const { listenerPath = '', listenerMetadata } = config.linux?.seccomp ?? {};
      await sendListener({ pid, targetfd: await steps.valueOf(filter), path: listenerPath, metadata: listenerMetadata, state: stateOf(stored, status) });
      steps.begin([]);
    }
    // Undefined if the process never started: then the result throws the reason.
    if ((await steps.running.started) === undefined) await steps.running.result;
    if (options.detach) {
      steps.running.control({ op: 'leave' });
      await steps.running.result;
    }
    return { pid, running: steps.running };
  } catch (error) {
    steps.running.abort();
    // Its result is the error at hand.
    await steps.running.result.catch(() => undefined);
    throw explainError(error);
  }
}

function execPrograms(
  spec: OciProcess,
  config: OciConfig,
  stored: StoredContainer,
  options: ExecOptions,
): { first: Program; clone: Op; enter: Program; last: Program } {
  const slots = slotAllocator();
  const userNamespace = stored.namespaces.includes('user');
  const [pidfd, proc, hostRoot, root, cwd, slave, replies] = [slots(), slots(), slots(), slots(), slots(), slots(), slots()];
  const preserved = Array.from({ length: options.preserved.count }, slots);
  const terminal = terminalOps(spec, config.linux, options.console, { slots, root, slave, console: false });
  const label = securityLabels(spec, slots, proc);
  const init = stored.init?.pid ?? 0;
  const joined = stored.namespaces.length
    ? withPurpose('the namespaces of the container', [{ op: 'setns', fd: pidfd, nstype: setnsFlags(stored.namespaces) }])
    : [];
  const clone: Op = {
    op: 'clone',
    flags: 0,
    monitor: options.detach ? MONITOR_LEAVES : options.console && 'monitor' in options.console ? options.console.monitor : 0,
    reply: true,
    program: [{ op: 'wait' }],
  };
  return {
    clone,
    first: [
      { op: 'pidfd_open', pid: init, flags: 0, out: pidfd },
      { op: 'openat', dirfd: AT_FDCWD, pathname: '/proc', flags: O.PATH | O.DIRECTORY | O.CLOEXEC, mode: 0, out: proc },
      { op: 'openat', dirfd: AT_FDCWD, pathname: `/proc/${init}/root`, flags: O.PATH | O.DIRECTORY | O.CLOEXEC, mode: 0, out: hostRoot },
      ...preserved.map((out, i): Op => ({ op: 'inherited', number: 5 + i, out })),
      ...terminal.outside,
      ...affinity(spec.execCPUAffinity?.initial, 'process.execCPUAffinity.initial'),
      ...joined,
      { op: 'close', fd: pidfd },
      clone,
    ],
    enter: [
      // Processes of the container must not trace this one.
      prctl(PR.SET_DUMPABLE, 0),
      ...(userNamespace
        ? ([
            { op: 'setresgid', rgid: 0, egid: 0, sgid: 0, ignore: ['EINVAL'] },
            { op: 'setgroups', list: [], ignore: ['EPERM'] },
            { op: 'setresuid', ruid: 0, euid: 0, suid: 0, ignore: ['EINVAL'] },
          ] as const)
        : []),
      ...label.early,
      // A container without a mount namespace still has its own root.
      ...(stored.mountsOnHost
        ? ([
            { op: 'fchdir', fd: hostRoot },
            { op: 'chroot', path: '.' },
          ] as const)
        : []),
      { op: 'close', fd: hostRoot },
      { op: 'close', fd: proc },
      { op: 'openat', dirfd: AT_FDCWD, pathname: '/', flags: O.PATH | O.DIRECTORY | O.CLOEXEC, mode: 0, out: root },
      ...withPurpose('process.cwd', [openInRoot(root, spec.cwd, cwd, { directory: true })]),
      ...terminal.inside,
      ...withPurpose('process.cwd', [
        { op: 'fchdir', fd: cwd },
        { op: 'close', fd: cwd },
        { op: 'close', fd: root },
      ]),
      ...rlimits(spec),
      ...scheduling(spec, config.linux),
      ...affinity(spec.execCPUAffinity?.final, 'process.execCPUAffinity.final'),
      ...ownStdio(spec),
      ...switchUser(spec, { setgroups: userNamespace ? process.geteuid?.() === 0 : canSetGroups() }),
      { op: 'setsid' },
      ...(terminal.inside.length ? withPurpose('the terminal', takeTerminal(slave)) : []),
      ...probeCommand(spec.args ?? [], spec.env ?? []),
      { ...prctl(PR.SET_DUMPABLE, 0), reply: true },
      { op: 'wait' },
    ],
    last: [
      { op: 'inherited', number: 4, out: replies },
      { op: 'reply_to', fd: replies, least: 5 + preserved.length },
      ...execOps(spec, config.linux?.seccomp, { granted: grantable(userNamespace), preserved, labels: label.late, untilTaken: [{ op: 'wait' }] }),
    ],
  };
}

/** Moves a process into the container's cgroup, or one below it. A cgroup that delegates its controllers has no processes: then the init's cgroup is used. */
function joinCgroupOf(stored: StoredContainer, pid: number, below: readonly string[]): void {
  const places = below.reduce(subCgroup, stored.cgroup);
  // A container that was created without a cgroup has none now.
  if (!isInitialRoot() && !places.some(({ directory }) => existsSync(directory))) return;
  try {
    joinCgroup(places, pid);
  } catch (error) {
    const own = /^0::(.*)$/m.exec(readFileSync(`/proc/${stored.init?.pid}/cgroup`, 'utf8'))?.[1];
    const [first] = places;
    if (below.length || first?.version !== 2 || own === undefined) throw error;
    joinCgroup([{ ...first, directory: path.join(first.mount, own) }], pid);
  }
}

/** Returns the cgroup of `--cgroup`: a path below the container's own; with version 1 also `controllers:path`. @throws OciError `CGROUP_INVALID` */
function subCgroup(cgroup: ContainerCgroup, given: string): ContainerCgroup {
  const [, names, inside = ''] = /^(?:([^:/]*):)?(.*)$/s.exec(given) ?? [];
  const wanted = names?.split(',') ?? [];
  const unknown = wanted.find((name) => !cgroup.some(({ controllers }) => controllers.includes(name)));
  if (unknown !== undefined)
    throw new OciError({
      code: 'CGROUP_INVALID',
      message: `unknown controller ${unknown} in --cgroup ${given}`,
      hint: 'Use a mounted controller, or a path alone for all controllers.',
    });
  return cgroup.map((place) => {
    if (wanted.length && !place.controllers.some((name) => wanted.includes(name))) return place;
    const directory = path.join(place.directory, inside);
    if (directory !== place.directory && !directory.startsWith(`${place.directory}/`))
      throw new OciError({ code: 'CGROUP_INVALID', message: `${inside} is not a sub cgroup path`, hint: "Use a path below the container's own cgroup." });
    return { ...place, directory: directory.replace(/(?<=.)\/$/, '') };
  });
}
