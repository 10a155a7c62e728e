import { defaultNamespaces, enter, type Mount, type ProcessSpec, withinOwn } from '@lamella/namespace';
import type { Program, SlotAllocator } from '@lamella/syscall';
import { giveStdio } from '../../isolation/stdio-owner.js';
import type { RunSpec } from '../../model/run-spec.js';
import type { PlannedFilesystem } from './filesystem.js';
import type { PlannedIdentity } from './identity.js';
import type { PlannedLimits } from './limits.js';
import { withMappedIds } from './mounts/mounts.js';
import type { PlannedNetwork } from './network.js';
import type { PlanRequest } from './plan-request.js';

/** Stands for the command of a container that has none: it is never executed. */
const NO_ARGS = ['-'];

/** Returns the ops that clone the container's process, which mounts its root, drops its rights and executes the command. */
export function planProcess(
  request: PlanRequest,
  identity: PlannedIdentity,
  network: PlannedNetwork,
  filesystem: PlannedFilesystem,
  { group }: PlannedLimits,
  mounts: readonly Mount[],
  slots: SlotAllocator,
): Program {
  const { spec, root, life, confined } = request;
  const { args, env, hostname, user, ids, userns } = identity;
  const { netns } = network;
  return enter(
    {
      args: args.length ? args : NO_ARGS,
      rootfs: filesystem.stack.merged,
      mounted: true,
      prepare: [
        ...(spec.terminal ? [] : giveStdio(user, ids)),
        ...(filesystem.mountedOnHost ? [] : withMappedIds(request, identity, root, filesystem.mountRoot, slots)),
      ],
      ...(userns === undefined ? {} : { userns }),
      ...(netns === undefined ? {} : { netns }),
      env,
      cwd: spec.cwd ?? request.lowers.config.workingDir ?? '/',
      namespaces: namespacesOf(request, identity, network, filesystem),
      mounts,
      hostname,
      user,
      ...(group ? { cgroup: group } : {}),
      ...(life.hold ? { hold: life.hold } : {}),
      ...confined,
      ...present(spec, 'umask', 'rlimits', 'readonlyRoot', 'init', 'job', 'terminal', 'oomScoreAdj'),
      // A detached container gets its input through its socket.
      ...(life.detached ? {} : present(spec, 'input')),
    },
    slots,
  );
}

function namespacesOf(
  { spec }: PlanRequest,
  { keepsSingleId }: PlannedIdentity,
  { kind }: PlannedNetwork,
  { monitorNamespace }: PlannedFilesystem,
): NonNullable<ProcessSpec['namespaces']> {
  const net = kind === 'none';
  if (spec.host) {
    const user = process.geteuid?.() !== 0;
    return { user, sameId: user, pid: true, ipc: true, cgroup: true, net };
  }
  return { ...(monitorNamespace ? withinOwn() : defaultNamespaces()), net, ...(keepsSingleId ? { sameId: true } : {}) };
}

/** Returns the fields of a spec that are set: `exactOptionalPropertyTypes` tells absent from undefined. */
function present<Key extends keyof RunSpec>(spec: RunSpec, ...keys: readonly Key[]): { [Name in Key]?: Exclude<RunSpec[Name], undefined> } {
  return Object.fromEntries(keys.filter((key) => spec[key] !== undefined).map((key) => [key, spec[key]])) as never;
}
