import path from 'node:path';
import { type ContainerRecord, claim, directoryOf, keptOf, releaseContainer } from '@lamella/cleanup';
import { inUserNamespace } from '@lamella/namespace';
import type { OverlayStack } from '@lamella/overlay';
import { AT_FDCWD, bytesOf, O, type Op, type Program, type SlotAllocator, slotAllocator } from '@lamella/syscall';
import { likeSource } from '../../filesystem/volumes.js';
import { rangeLinksOf } from '../../isolation/userns.js';
import type { ContainerConfig } from '../../model/container-config.js';
import type { RunSpec } from '../../model/run-spec.js';
import type { CheckedMount } from '../../model/writable-mount.js';
import { configOf, formatConfig, layersOf } from '../../store/config-file.js';
import { giveName } from '../../store/generated-names.js';
import { nameLinkOf, targetOf } from '../../store/names.js';
import { storedHostView } from '../../store/stored-host-view.js';
import type { PlannedIdentity } from './identity.js';
import { newIdentityOf, type PlanRequest } from './plan-request.js';

/** Returns the config of a container as it is stored: a new one, or that of the existing container with today's view of the host. */
export function planConfig(request: PlanRequest, { id, name, args, env, user, ids }: PlannedIdentity): ContainerConfig {
  const { spec, lowers, life, sources } = request;
  const host = spec.host && storedHostView(spec.host);
  if (life.again) return { ...life.again, ...(host ? { spec: { ...life.again.spec, host } } : {}) };
  return configOf({
    id,
    created: newIdentityOf(request).created,
    spec: { ...spec, ...(name === undefined ? {} : { name }), ...(host ? { host } : {}) },
    lowers,
    args,
    env,
    user,
    ...(ids ? { ids } : {}),
    ...(sources.now.size ? { sources: Object.fromEntries(sources.now) } : {}),
  });
}

/** Returns the ops that write the config where it is not stored yet, or differs from what is. */
export function recordConfig({ spec, life }: PlanRequest, { record, directory }: PlannedIdentity, config: ContainerConfig, slots: SlotAllocator): Program {
  if (!life.again) return recordContainer(record, config, spec, slots);
  return spec.host ? replaceConfig(directory, life.again, config, slots) : [];
}

/** What the plan of a new container contains about its files. */
interface NewContainer {
  readonly config: ContainerConfig;
  /** Absolute path of its directory in the store. */
  readonly directory: string;
  readonly stack: OverlayStack;
  readonly others: readonly CheckedMount[];
}

/**
 * Returns the program that creates a container without starting it, from the plan of its first life: its directory, its config, and empty
 * upper directories.
 */
export function creation({ config, directory, stack, others }: NewContainer, spec: RunSpec): Program {
  const record: ContainerRecord = { containers: path.dirname(directory), id: config.id };
  const slots = slotAllocator();
  return inUserNamespace([
    { op: 'umask', mask: 0o022 },
    ...claim(record, [], slots),
    { op: 'on_exit', program: releaseContainer(record, []) },
    ...recordContainer(record, config, spec, slots),
    ...[stack, ...others].map(({ upperdir = '' }): Op => ({ op: 'mkdirat', dirfd: AT_FDCWD, pathname: upperdir, mode: 0o755 })),
    ...others.flatMap(({ upperdir, source, given }) => (source === undefined ? [] : likeSource(upperdir, source, given?.look))),
    { op: 'on_exit', program: [] },
  ]);
}

/** Returns ops that write the config of a new container, and take its name and its range of ids. */
function recordContainer(record: ContainerRecord, config: ContainerConfig, spec: RunSpec, slots: SlotAllocator): Program {
  const flags = O.WRONLY | O.CREAT | O.EXCL | O.CLOEXEC;
  const write = (pathname: string, data: string): Op => ({ op: 'write_file', dirfd: AT_FDCWD, pathname, flags, mode: 0o600, data });
  const directory = directoryOf(record);
  const range = rangeLinksOf(record.containers, spec.userns, config.ids);
  return [
    ...(spec.name === undefined
      ? giveName(record.containers, config.spec.name ?? record.id, record.id)
      : [{ op: 'symlinkat', target: targetOf(record.id), newdirfd: AT_FDCWD, linkpath: nameLinkOf(record.containers, spec.name) } as const]),
    ...range.map((linkpath): Op => ({ op: 'symlinkat', target: targetOf(record.id), newdirfd: AT_FDCWD, linkpath })),
    ...writeLong(path.join(directory, 'config.json'), formatConfig(config), slots),
    ...(spec.keep ? [write(path.join(directory, 'layers'), layersOf(config)), write(keptOf(record), '')] : []),
  ];
}

/** The most bytes that one op writes: a frame to the interpreter holds little more. */
const LONGEST_WRITE = 1 << 20;

/** Returns ops that write a private file of any length. */
function writeLong(pathname: string, text: string, slots: SlotAllocator, existing = O.EXCL): Program {
  const flags = O.WRONLY | O.CREAT | existing | O.CLOEXEC;
  const data = bytesOf(text);
  if (data.length <= LONGEST_WRITE) return [{ op: 'write_file', dirfd: AT_FDCWD, pathname, flags, mode: 0o600, data: text }];
  const fd = slots();
  const parts = Array.from({ length: Math.ceil(data.length / LONGEST_WRITE) }, (_, i) => data.subarray(i * LONGEST_WRITE, (i + 1) * LONGEST_WRITE));
  return [{ op: 'openat', dirfd: AT_FDCWD, pathname, flags, mode: 0o600, out: fd }, ...parts.map((buf): Op => ({ op: 'write', fd, buf })), { op: 'close', fd }];
}

/**
 * Returns ops that replace the stored config, if it differs. After a power cut either the old or the new config is there: without one the
 * container and its changes could not be found.
 */
function replaceConfig(directory: string, before: ContainerConfig, config: ContainerConfig, slots: SlotAllocator): Program {
  const text = formatConfig(config);
  if (text === formatConfig(before)) return [];
  const pathname = path.join(directory, 'config.json');
  const next = `${pathname}.next`;
  const fd = slots();
  return [
    ...writeLong(next, text, slots, O.TRUNC),
    { op: 'openat', dirfd: AT_FDCWD, pathname: next, flags: O.RDONLY | O.CLOEXEC, mode: 0, out: fd },
    { op: 'fsync', fd },
    { op: 'close', fd },
    { op: 'renameat2', olddirfd: AT_FDCWD, oldpath: next, newdirfd: AT_FDCWD, newpath: pathname, flags: 0 },
  ];
}
