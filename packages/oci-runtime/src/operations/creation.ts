import { rmSync } from 'node:fs';
import path from 'node:path';
import { type DeviceRule, joinCgroup, type UnitProperty } from '@lamella/cgroup';
import { flatten, type HeldLock, type Running, slotAllocator } from '@lamella/syscall';
import type { OciConfig, OciLinux } from '../config/schema.js';
import { type ContainerPrograms, containerPrograms } from '../container/container-program.js';
import { writeIdMaps } from '../container/id-maps.js';
import { type IdmapOwners, idmapOwners } from '../container/idmap-owners.js';
import { Steps } from '../container/steps.js';
import { purposeOf } from '../errors/op-purposes.js';
import { runHooks, tryHooks } from '../hooks/run-hooks.js';
import { writePidFile } from '../host/pid-file.js';
import type { CreateOptions } from '../model/create-options.js';
import { checkDevices, removeOutsideNodes } from '../mounts/check-devices.js';
import { checkMasked } from '../mounts/hidden-paths.js';
import { type MovedDevices, moveDevices } from '../network/move-devices.js';
import { environmentOf } from '../process/environment.js';
import { checkFound } from '../process/execute.js';
import { setOomScore } from '../process/oom-score.js';
import { deviceRules, restrictDevices } from '../resources/device-rules.js';
import { joinRdtGroup, makeRdtGroup, removeRdtGroup, resctrl } from '../resources/intel-rdt.js';
import { cgroupView, joinScope, prepareCgroup } from '../resources/prepare-cgroup.js';
import { writeLaunchRecord } from '../state/launch-record.js';
import type { StateDirectory } from '../state/state-directory.js';
import { processMark, removeDirectory, type StoredContainer, stateOf, writeStored } from '../state/stored-container.js';
import { releaseCgroup } from './delete.js';

/** A container that waits to be started. */
export interface CreatedContainer {
  readonly config: OciConfig;
  readonly directory: StateDirectory;
  readonly stored: StoredContainer;
  /** The monitor of its process, if it stays. */
  readonly running: Running;
  /** The lock of the container, if the monitor stays. {@link startLocked} needs it. */
  readonly lock?: HeldLock;
}

/** What is known before anything is made. */
export interface CreationPlan {
  readonly config: OciConfig;
  readonly directory: StateDirectory;
  readonly stored: StoredContainer;
  /** Properties of the systemd scope. */
  readonly properties: readonly UnitProperty[];
}

/** The cgroup of the creation, and the resctrl mount. */
interface Resources {
  readonly hasCgroup: boolean;
  readonly rules: readonly DeviceRule[];
  readonly rdtMount: string | undefined;
}

/** The creation of one container, which can be undone at any point. */
export class Creation {
  readonly #options: CreateOptions;
  readonly #config: OciConfig;
  readonly #linux: OciLinux;
  readonly #directory: StateDirectory;
  #stored: StoredContainer;
  readonly #properties: readonly UnitProperty[];
  #steps: Steps | undefined;
  #ranHooks = false;
  #wrotePidFile = false;
  #devices: MovedDevices | undefined;

  constructor(options: CreateOptions, { config, directory, stored, properties }: CreationPlan) {
    this.#options = options;
    this.#config = config;
    this.#linux = config.linux ?? {};
    this.#directory = directory;
    this.#stored = stored;
    this.#properties = properties;
  }

  /** Runs the phases: resources, process, what only the host may do, mounts, hooks, the new root. */
  async make(): Promise<CreatedContainer> {
    const resources = this.#prepareResources();
    await using owners = await idmapOwners(this.#config);
    const programs = this.#plan(resources, owners);
    const steps = this.#begin(programs);
    const pid = await steps.valueOf(programs.clone);
    this.#debug(`process ${pid} is in its namespaces`);
    const init = processMark(pid);
    this.#keep(init ? { init } : {});
    await this.#placeProcess(pid, resources, programs);
    await this.#setUp(pid, steps, programs);
    await this.#runHooks(pid);
    await this.#enter(pid, steps, programs);
    this.#keep({ creating: false, last: { index: steps.nextIndex, purposes: flatten(programs.last).map((op) => purposeOf(op) ?? op.op) } });
    steps.begin(programs.last);
    writeLaunchRecord(this.#directory, this.#stored, this.#config);
    if (!this.#options.stay) {
      steps.running.control({ op: 'leave' });
      await steps.running.result;
    }
    return { config: this.#config, directory: this.#directory, stored: this.#stored, running: steps.running };
  }

  /** Makes the cgroup, unless systemd does that once there is a process. */
  #prepareResources(): Resources {
    const rdtMount = this.#linux.intelRdt ? resctrl() : undefined;
    const { cgroup, scope } = this.#stored;
    const hasCgroup = scope !== undefined || prepareCgroup(cgroup, this.#linux, this.#options.log);
    return { hasCgroup, rules: deviceRules(this.#linux.resources), rdtMount };
  }

  #plan({ hasCgroup, rules }: Resources, owners: IdmapOwners): ContainerPrograms {
    const { bundle, console, noNewKeyring = false, noPivot = false, preserved, stay } = this.#options;
    const { cgroup, namespaces, rootfs, scope } = this.#stored;
    const { process } = this.#config;
    const slots = slotAllocator();
    return containerPrograms({
      slots,
      locks: !stay,
      before: hasCgroup && !scope ? restrictDevices(cgroup, rules, slots) : [],
      config: this.#config,
      bundle,
      rootfs,
      directory: this.#directory,
      cgroups: cgroupView(cgroup, hasCgroup, namespaces.includes('cgroup')),
      console,
      preserveFds: preserved?.count ?? 0,
      env: process ? environmentOf(process, rootfs, preserved?.listening ?? 0) : [],
      noPivot,
      noNewKeyring,
      idmapOwners: owners.pids,
    });
  }

  #begin({ first }: ContainerPrograms): Steps {
    const descriptors = Array.from({ length: this.#options.preserved?.count ?? 0 }, (_, i) => 3 + i);
    this.#steps = new Steps(first, { stdio: ['inherit', 'inherit', 'inherit'], descriptors });
    return this.#steps;
  }

  /** Does what only the host may do with the process: cgroup, class of service, ids, network devices, OOM score. */
  async #placeProcess(pid: number, { hasCgroup, rules, rdtMount }: Resources, { namespaces }: ContainerPrograms): Promise<void> {
    const { cgroup, id, scope } = this.#stored;
    const { gidMappings = [], intelRdt, netDevices, resources, uidMappings = [] } = this.#linux;
    if (scope) await joinScope(scope, { pid, id, cgroup, resources, rules, properties: this.#properties });
    else if (hasCgroup) joinCgroup(cgroup, pid);
    if (intelRdt && rdtMount !== undefined) {
      const rdt = makeRdtGroup(intelRdt, id, rdtMount);
      this.#keep({ rdt });
      joinRdtGroup(rdt, pid);
    }
    if (namespaces.made.has('user')) writeIdMaps(pid, uidMappings, gidMappings);
    if (netDevices) this.#devices = await moveDevices(netDevices, pid);
    const { oomScoreAdj } = this.#config.process ?? {};
    if (oomScoreAdj !== undefined) setOomScore(pid, oomScoreAdj);
  }

  async #setUp(pid: number, steps: Steps, programs: ContainerPrograms): Promise<void> {
    const { ignored } = await steps.go(programs.setUp);
    removeOutsideNodes(this.#directory.path);
    checkDevices(this.#linux.devices ?? [], ignored, path.join(`/proc/${pid}/root`, this.#stored.rootfs));
    this.#debug(`${this.#config.mounts?.length ?? 0} mounts and the devices are made`);
  }

  /** Runs the hooks of the creation in the order of the specification (runtime.md, "Lifecycle"). */
  async #runHooks(pid: number): Promise<void> {
    if (!this.#config.hooks) return;
    this.#ranHooks = true;
    const state = stateOf(this.#stored, 'creating');
    const onHost = { cwd: this.#options.bundle };
    await runHooks('prestart', this.#config, state, onHost);
    await runHooks('createRuntime', this.#config, state, onHost);
    await runHooks('createContainer', this.#config, state, { pid, namespaces: this.#stored.namespaces });
  }

  async #enter(pid: number, steps: Steps, programs: ContainerPrograms): Promise<void> {
    const entered = await steps.go(programs.enter);
    this.#debug('the process is in its root and waits to be started');
    checkMasked(entered.ignored);
    const { args } = this.#config.process ?? {};
    if (args) checkFound(args, programs.enter, entered);
    if (!this.#options.pidFile) return;
    writePidFile(this.#options.pidFile, pid);
    this.#wrotePidFile = true;
  }

  #debug(message: string): void {
    this.#options.log.debug(`create ${this.#options.id}: ${message}`);
  }

  #keep(more: Partial<StoredContainer>): void {
    this.#stored = { ...this.#stored, ...more };
    writeStored(this.#directory, this.#stored);
  }

  /** Releases what is held during the creation only. */
  end(): void {
    this.#devices?.[Symbol.dispose]();
  }

  /** Undoes what was made so far. Failures are logged, because the caller throws the error that led here. */
  async undo(): Promise<void> {
    const { log, pidFile, bundle } = this.#options;
    // Before the process ends: virtual devices are destroyed with its network namespace.
    await this.#devices?.back().catch((error: Error) => log.warn(error.message));
    this.#steps?.running.abort();
    // Its result is the error that led here.
    await this.#steps?.running.result.catch(() => undefined);
    await releaseCgroup(this.#stored).catch((error: Error) => log.warn(error.message));
    if (this.#stored.rdt) removeRdtGroup(this.#stored.rdt);
    if (pidFile && this.#wrotePidFile) rmSync(pidFile, { force: true });
    if (this.#ranHooks) await tryHooks('poststop', this.#config, stateOf(this.#stored, 'stopped'), { cwd: bundle }, log.warn);
    removeDirectory(this.#directory);
  }
}
