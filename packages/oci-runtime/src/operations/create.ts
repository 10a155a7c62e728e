import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { cgroupOfScope, placeCgroup, scopeOf } from '@lamella/cgroup';
import { bootId, type HeldLock, lockFile } from '@lamella/syscall';
import { readConfig } from '../config/read-config.js';
import { explainError } from '../errors/op-purposes.js';
import { isInitialRoot } from '../host/initial-root.js';
import type { CreateOptions } from '../model/create-options.js';
import { unknownCapabilities } from '../process/identity.js';
import { checkConsole } from '../process/terminal.js';
import { unitPropertiesOf } from '../resources/unit-properties.js';
import { claimId, stateDirectory } from '../state/state-directory.js';
import { processMark, type StoredContainer, writeStored } from '../state/stored-container.js';
import { type CreatedContainer, Creation, type CreationPlan } from './creation.js';
import { CREATE_OPTIONS, readOptions } from './option-shapes.js';

/**
 * Creates a container from a bundle (runtime.md, "Create"). Its process waits to be started. A failure leaves nothing behind.
 *
 * @throws OciError; its code is an errno's name when a system call failed, and the message says what the call was for
 */
export async function create(given: CreateOptions): Promise<CreatedContainer> {
  const options = readOptions('create(options)', given, CREATE_OPTIONS);
  const { plan, text } = readPlan(options);
  const { directory, stored } = plan;
  claimId(options.root, directory);
  const creation = new Creation(options, plan);
  let lock: HeldLock | undefined;
  try {
    // A monitor that stays would hold the lock for as long as the container runs.
    if (options.stay) lock = await lockFile(directory.lock);
    writeStored(directory, stored);
    writeFileSync(directory.config, text, { mode: 0o600 });
    return { ...(await creation.make()), ...(lock ? { lock } : {}) };
  } catch (error) {
    await creation.undo();
    await lock?.[Symbol.asyncDispose]();
    throw explainError(error);
  } finally {
    creation.end();
  }
}

/** Reads and checks the configuration, and decides where the container and its cgroup are. Nothing is made. */
function readPlan(options: CreateOptions): { readonly plan: CreationPlan; readonly text: string } {
  const { config, text } = readConfig(options.bundle);
  checkConsole(config.process, options.console);
  for (const name of unknownCapabilities(config.process?.capabilities)) options.log.warn(`process.capabilities: unknown capability ${name} is ignored`);
  const directory = stateDirectory(options.root, options.id);
  const { annotations = {}, linux = {} } = config;
  const scope = options.systemdCgroup ? scopeOf(linux.cgroupsPath, options.id, !isInitialRoot()) : undefined;
  const namespaces = (linux.namespaces ?? []).map(({ type }) => type);
  const stored: StoredContainer = {
    ociVersion: config.ociVersion,
    id: options.id,
    bundle: options.bundle,
    rootfs: path.resolve(options.bundle, config.root.path),
    annotations,
    created: new Date().toISOString(),
    owner: process.geteuid?.() ?? 0,
    boot: bootId(),
    cgroup: placeCgroup(scope ? cgroupOfScope(scope) : linux.cgroupsPath, options.id),
    ...(scope ? { scope } : {}),
    namespaces,
    mountsOnHost: !namespaces.includes('mount'),
    creator: processMark(process.pid) ?? { pid: process.pid, startTime: '' },
    creating: true,
  };
  const properties = scope ? unitPropertiesOf(annotations) : [];
  return { plan: { config, directory, stored, properties }, text };
}
