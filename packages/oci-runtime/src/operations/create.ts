import { lstatSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import {
  type ContainerCgroup,
  cgroupOfScope,
  type DeviceRule,
  isCgroupFrozen,
  joinCgroup,
  limitCgroup,
  limitDevices,
  limitDevicesV1,
  makeCgroup,
  placeCgroup,
  processesOf,
  type SystemdScope,
  scopeOf,
  startScope,
  type UnitProperty,
  unitProperties,
} from '@lamella/cgroup';
import {
  AT_FDCWD,
  bootId,
  flatten,
  type HeldLock,
  lockFile,
  O,
  type Op,
  type Program,
  type Running,
  run,
  type SlotAllocator,
  slotAllocator,
} from '@lamella/syscall';
import { readConfig } from '../config/read-config.js';
import type { OciConfig, OciDevice, OciLinux } from '../config/schema.js';
import { containerPrograms } from '../container/container-program.js';
import { writeIdMaps } from '../container/id-maps.js';
import { idmapOwners } from '../container/idmap-owners.js';
import { Steps } from '../container/steps.js';
import { OciError } from '../errors/oci-error.js';
import { explainError, purposeOf, withPurpose } from '../errors/op-purposes.js';
import { runHooks, tryHooks } from '../hooks/run-hooks.js';
import { isInitialRoot } from '../host/initial-root.js';
import { writePidFile } from '../host/pid-file.js';
import type { CreateOptions } from '../model/create-options.js';
import type { Log } from '../model/log.js';
import type { CgroupView } from '../mounts/cgroup-mount.js';
import { DEFAULT_DEVICES } from '../mounts/devices.js';
import { checkMasked } from '../mounts/hidden-paths.js';
import { type MovedDevices, moveDevices } from '../network/move-devices.js';
import { environmentOf } from '../process/environment.js';
import { checkFound } from '../process/execute.js';
import { unknownCapabilities } from '../process/identity.js';
import { checkConsole } from '../process/terminal.js';
import { joinRdtGroup, makeRdtGroup, removeRdtGroup, resctrl } from '../resources/intel-rdt.js';
import { unitPropertiesOf } from '../resources/unit-properties.js';
import { claimId, type StateDirectory, stateDirectory } from '../state/state-directory.js';
import { processMark, removeDirectory, type StoredContainer, stateOf, writeStored } from '../state/stored-container.js';
import { releaseCgroup } from './delete.js';
import { CREATE_OPTIONS, readOptions } from './option-shapes.js';

/** A container that waits to be started. */
export interface CreatedContainer {
  readonly config: OciConfig;
  readonly directory: StateDirectory;
  readonly stored: StoredContainer;
  /** Its monitor, if that stays. */
  readonly running: Running;
  /** Keeps other commands away, while the monitor stays: for whoever starts it then. */
  readonly lock?: HeldLock;
}

/** What every container may do with devices, whatever its rules say (as runc has it). */
const ALWAYS_ALLOWED: readonly DeviceRule[] = [
  { allow: true, type: 'c', access: 'm' },
  { allow: true, type: 'b', access: 'm' },
  ...DEFAULT_DEVICES.map(({ type, major, minor }) => ({ allow: true, type, major, minor, access: 'rwm' })),
  { allow: true, type: 'c', major: 5, minor: 1, access: 'rwm' },
  { allow: true, type: 'c', major: 5, minor: 2, access: 'rwm' },
  { allow: true, type: 'c', major: 136, access: 'rwm' },
];

/**
 * `create` (runtime.md, "Create"): everything that config.json asks for is there afterwards, and its process waits to be
 * started. What fails leaves nothing behind.
 *
 * @throws OciError; SyscallError's codes with what they were for
 */
export async function create(given: CreateOptions): Promise<CreatedContainer> {
  const options = readOptions('create(options)', given, CREATE_OPTIONS);
  const { log } = options;
  const { config, text } = readConfig(options.bundle);
  checkConsole(config.process, options.console);
  for (const name of unknownCapabilities(config.process?.capabilities))
    log.warn(`process.capabilities: ${name} is no capability of this kernel, and is left out`);
  const directory = stateDirectory(options.root, options.id);
  const rootfs = path.resolve(options.bundle, config.root.path);
  const scope = options.systemdCgroup ? scopeOf(config.linux?.cgroupsPath, options.id, !isInitialRoot()) : undefined;
  const cgroup = placeCgroup(scope ? cgroupOfScope(scope) : config.linux?.cgroupsPath, options.id);
  const properties = scope ? unitPropertiesOf(config.annotations ?? {}) : [];
  claimId(options.root, directory);
  const creator = processMark(process.pid);
  const stored: StoredContainer = {
    ociVersion: config.ociVersion,
    id: options.id,
    bundle: options.bundle,
    rootfs,
    annotations: config.annotations ?? {},
    created: new Date().toISOString(),
    owner: process.geteuid?.() ?? 0,
    boot: bootId(),
    cgroup,
    ...(scope ? { scope } : {}),
    namespaces: (config.linux?.namespaces ?? []).map(({ type }) => type),
    mountsOnHost: !config.linux?.namespaces?.some(({ type }) => type === 'mount'),
    creator: creator ?? { pid: process.pid, startTime: '' },
    creating: true,
  };
  const making = new Making(options, config, directory, stored, properties);
  let lock: HeldLock | undefined;
  try {
    // A monitor that stays would keep it for as long as the container runs.
    if (options.stay) lock = await lockFile(directory.lock);
    writeStored(directory, stored);
    writeFileSync(directory.config, text, { mode: 0o600 });
    return { ...(await making.make()), ...(lock ? { lock } : {}) };
  } catch (error) {
    await making.undo();
    await lock?.[Symbol.asyncDispose]();
    throw explainError(error);
  } finally {
    making.end();
  }
}

/** One creation, which can be taken back at any point. */
class Making {
  readonly #options: CreateOptions;
  readonly #config: OciConfig;
  readonly #directory: StateDirectory;
  #stored: StoredContainer;
  readonly #properties: readonly UnitProperty[];
  #steps: Steps | undefined;
  #hooked = false;
  #pidWritten = false;
  #devices: MovedDevices | undefined;

  constructor(options: CreateOptions, config: OciConfig, directory: StateDirectory, stored: StoredContainer, properties: readonly UnitProperty[]) {
    this.#options = options;
    this.#config = config;
    this.#directory = directory;
    this.#stored = stored;
    this.#properties = properties;
  }

  async make(): Promise<CreatedContainer> {
    const config = this.#config;
    const options = this.#options;
    const { cgroup, scope } = this.#stored;
    const linux = config.linux ?? {};
    const rdtMount = linux.intelRdt ? resctrl() : undefined;
    const hasCgroup = scope !== undefined || prepareCgroup(cgroup, linux, options.log);
    const slots = slotAllocator();
    const rules = [{ allow: false }, ...(linux.resources?.devices ?? []), ...ALWAYS_ALLOWED];
    await using owners = await idmapOwners(config);
    const programs = containerPrograms({
      slots,
      locks: !options.stay,
      before: hasCgroup && !scope ? restrictDevices(cgroup, rules, slots) : [],
      config,
      bundle: options.bundle,
      rootfs: this.#stored.rootfs,
      directory: this.#directory,
      cgroups: viewOf(cgroup, hasCgroup, this.#stored.namespaces.includes('cgroup')),
      console: options.console,
      preserveFds: options.preserved?.count ?? 0,
      env: config.process ? environmentOf(config.process, this.#stored.rootfs, options.preserved?.listening ?? 0) : [],
      noPivot: options.noPivot ?? false,
      noNewKeyring: options.noNewKeyring ?? false,
      idmapOwners: owners.pids,
    });
    const descriptors = Array.from({ length: options.preserved?.count ?? 0 }, (_, i) => 3 + i);
    const steps = new Steps(programs.first, { stdio: ['inherit', 'inherit', 'inherit'], descriptors });
    this.#steps = steps;
    const pid = await steps.valueOf(programs.clone);
    options.log.debug(`create ${options.id}: process ${pid} is in its namespaces`);
    const init = processMark(pid);
    this.#keep(init ? { init } : {});
    if (scope) await this.#joinScope(scope, pid, rules);
    else if (hasCgroup) joinCgroup(cgroup, pid);
    if (linux.intelRdt && rdtMount !== undefined) {
      const rdt = makeRdtGroup(linux.intelRdt, options.id, rdtMount);
      this.#keep({ rdt });
      joinRdtGroup(rdt, pid);
    }
    if (programs.namespaces.made.has('user')) writeIdMaps(pid, linux.uidMappings ?? [], linux.gidMappings ?? []);
    if (linux.netDevices) this.#devices = await moveDevices(linux.netDevices, pid);
    if (config.process?.oomScoreAdj !== undefined) adjustOomScore(pid, config.process.oomScoreAdj);
    const { ignored } = await steps.go(programs.setUp);
    forgetNodes(this.#directory.path);
    checkDevices(linux.devices ?? [], ignored, path.join(`/proc/${pid}/root`, this.#stored.rootfs));
    options.log.debug(`create ${options.id}: ${config.mounts?.length ?? 0} mounts and the devices are made`);
    await this.#hooks(pid);
    const entered = await steps.go(programs.enter);
    options.log.debug(`create ${options.id}: it has its root, and waits to be started`);
    checkMasked(entered.ignored);
    if (config.process?.args) checkFound(config.process.args, programs.enter, entered);
    if (options.pidFile) {
      writePidFile(options.pidFile, pid);
      this.#pidWritten = true;
    }
    this.#keep({ creating: false, last: { index: steps.nextIndex, purposes: flatten(programs.last).map((op) => purposeOf(op) ?? op.op) } });
    steps.begin(programs.last);
    if (!options.stay) {
      steps.running.control({ op: 'leave' });
      await steps.running.result;
    }
    return { config, directory: this.#directory, stored: this.#stored, running: steps.running };
  }

  /** Systemd makes a cgroup around a process that is there; it waits while the limits are set. */
  async #joinScope(scope: SystemdScope, pid: number, rules: readonly DeviceRule[]): Promise<void> {
    const { cgroup } = this.#stored;
    const { devices: _, ...limits } = this.#config.linux?.resources ?? {};
    await startScope(scope, pid, `lamella-oci container ${this.#options.id}`, [...unitProperties(limits), ...this.#properties]);
    // Of version 1 it has but one hierarchy.
    if (cgroup[0]?.version === 1) {
      makeCgroup(cgroup);
      joinCgroup(cgroup, pid);
    }
    limitCgroup(cgroup, limits);
    await run(restrictDevices(cgroup, rules, slotAllocator()));
  }

  #keep(more: Partial<StoredContainer>): void {
    this.#stored = { ...this.#stored, ...more };
    writeStored(this.#directory, this.#stored);
  }

  /** In the order of the specification (runtime.md, "Lifecycle"). */
  async #hooks(pid: number): Promise<void> {
    if (!this.#config.hooks) return;
    this.#hooked = true;
    const state = stateOf(this.#stored, 'creating');
    const onHost = { cwd: this.#options.bundle };
    await runHooks('prestart', this.#config, state, onHost);
    await runHooks('createRuntime', this.#config, state, onHost);
    await runHooks('createContainer', this.#config, state, { pid, namespaces: this.#stored.namespaces });
  }

  /** Whatever became of it. */
  end(): void {
    this.#devices?.[Symbol.dispose]();
  }

  /** What cannot be taken back is told; the failure that led here is what the caller hears of. */
  async undo(): Promise<void> {
    const { log, pidFile, bundle } = this.#options;
    // Those of the kernel's own making would go with a new network namespace.
    await this.#devices?.back().catch((error: Error) => log.warn(error.message));
    this.#steps?.running.abort();
    // Why it ended is the error that led here.
    await this.#steps?.running.result.catch(() => undefined);
    await releaseCgroup(this.#stored).catch((error: Error) => log.warn(error.message));
    if (this.#stored.rdt) removeRdtGroup(this.#stored.rdt);
    if (pidFile && this.#pidWritten) rmSync(pidFile, { force: true });
    if (this.#hooked) await tryHooks('poststop', this.#config, stateOf(this.#stored, 'stopped'), { cwd: bundle }, log.warn);
    removeDirectory(this.#directory);
  }
}

/**
 * Make the cgroup, and limit it before anybody is in. An ordinary user to whom none is delegated does without, if
 * nothing was asked of it.
 *
 * @returns whether there is one
 */
function prepareCgroup(cgroup: ContainerCgroup, linux: OciLinux, log: Log): boolean {
  const { resources } = linux;
  const { devices: _, ...limits } = resources ?? {};
  const others = processesOf(cgroup).length;
  if (others) log.warn(`container's cgroup is not empty: ${others} process(es) found`);
  if (isCgroupFrozen(cgroup))
    throw new OciError({
      code: 'CGROUP_FROZEN',
      message: "container's cgroup unexpectedly frozen",
      hint: 'Its process could not even be made there; thaw it, or choose another linux.cgroupsPath.',
    });
  try {
    makeCgroup(cgroup);
  } catch (error) {
    const asked = Object.values(limits).some((each) => each !== undefined && Object.keys(each as object).length > 0);
    if (isInitialRoot() || asked) throw error;
    return false;
  }
  limitCgroup(cgroup, limits);
  return cgroup.length > 0;
}

/** Rules on devices: files of version 1, written at once; a program of the kernel's for version 2, as ops. */
function restrictDevices(cgroup: ContainerCgroup, rules: readonly DeviceRule[], slots: SlotAllocator): Program {
  // Who is not root has no devices to keep away from, but those that the host lets it have.
  if (!isInitialRoot() || !cgroup[0]) return [];
  if (cgroup[0].version === 1) {
    limitDevicesV1(cgroup, rules);
    return [];
  }
  const directory = slots();
  const open: Op = { op: 'openat', dirfd: AT_FDCWD, pathname: cgroup[0].directory, flags: O.RDONLY | O.DIRECTORY | O.CLOEXEC, mode: 0, out: directory };
  return withPurpose('linux.resources.devices', [open, ...limitDevices(rules, directory, slots), { op: 'close', fd: directory } satisfies Op]);
}

/** The names of devices that are mounts of the container's now. */
function forgetNodes(directory: string): void {
  for (const name of readdirSync(directory)) if (name.startsWith('device-')) rmSync(path.join(directory, name));
}

/** Who has no cgroup of its own sees the one that this command is in. */
function viewOf(cgroup: ContainerCgroup, made: boolean, namespace: boolean): CgroupView {
  return {
    namespace,
    hierarchies: cgroup.map(({ version, mount, controllers, own, directory }) => ({
      name: version === 2 ? '' : path.basename(mount),
      controllers: controllers.length ? controllers.join(',') : undefined,
      directory: made ? directory : path.join(mount, own),
    })),
  };
}

function adjustOomScore(pid: number, score: number): void {
  try {
    writeFileSync(`/proc/${pid}/oom_score_adj`, String(score));
  } catch (cause) {
    // An ordinary user cannot ask for less than it has itself; podman, for one, asks all the same.
    if (!isInitialRoot() && (cause as NodeJS.ErrnoException).code === 'EACCES') return;
    throw new OciError({
      code: 'OOM_SCORE_FAILED',
      message: `process.oomScoreAdj: cannot set ${score}: ${(cause as Error).message}`,
      hint: 'Less than that of the caller needs CAP_SYS_RESOURCE.',
      cause,
    });
  }
}

/** A file that was there already has to be the device that was asked for (config-linux.md, "Devices"). */
function checkDevices(devices: readonly OciDevice[], ignored: ReadonlyMap<Op, string>, root: string): void {
  const there = [...ignored.keys()].filter((op) => op.op === 'mknodat').map((op) => purposeOf(op) ?? '');
  for (const [i, device] of devices.entries()) {
    if (!there.some((purpose) => purpose.startsWith(`linux.devices[${i}] `))) continue;
    const stat = lstatSync(path.join(root, path.posix.resolve('/', device.path)), { throwIfNoEntry: false });
    const kind = stat?.isBlockDevice() ? 'b' : stat?.isCharacterDevice() ? 'c' : stat?.isFIFO() ? 'p' : '';
    const wanted = device.type === 'u' ? 'c' : device.type;
    const { major = 0, minor = 0 } = device;
    // makedev(3), as st_rdev has it
    const number = (major & 0xfff) * 256 + (minor & 0xff) + Math.floor(minor / 256) * 2 ** 20 + Math.floor(major / 4096) * 2 ** 44;
    if (kind === wanted && (wanted === 'p' || stat?.rdev === number)) continue;
    throw new OciError({
      code: 'DEVICE_CONFLICT',
      message: `linux.devices[${i}]: another file is at ${device.path} already`,
      hint: 'Take it out of the root filesystem, or out of linux.devices.',
    });
  }
}
