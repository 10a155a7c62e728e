import path from 'node:path';
import { type ContainerRecord, directoryOf } from '@lamella/cleanup';
import type { ImageConfig } from '@lamella/image';
import { DEFAULT_PATH, findUser, type User } from '@lamella/namespace';
import type { SlotAllocator } from '@lamella/syscall';
import { ownUser } from '../../filesystem/host/host-program.js';
import { ownIds } from '../../isolation/userns.js';
import type { OwnIds } from '../../model/container-ids.js';
import { EngineError } from '../../model/engine-error.js';
import type { RunSpec } from '../../model/run-spec.js';
import { checkName } from '../../store/identifiers.js';
import { checkNotGiven } from '../../store/names.js';
import { newIdentityOf, type PlanRequest } from './plan-request.js';

/** The container's id, name and user, and the user of its command. */
export interface PlannedIdentity {
  readonly id: string;
  /** The name that a new container takes; undefined for an existing one that has kept its own. */
  readonly name: string | undefined;
  readonly record: ContainerRecord;
  /** Absolute path of the container's directory in the store. */
  readonly directory: string;
  readonly hostname: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly user: User;
  /** The id ranges of its user namespace, if it has one. */
  readonly ids: OwnIds | undefined;
  /** Slot of that user namespace. */
  readonly userns: number | undefined;
  /** The user inside has the caller's id, without a range of ids. */
  readonly keepsSingleId: boolean;
}

/** @throws EngineError `NAME_INVALID`, `CONTAINER_EXISTS`, `NO_COMMAND`, `USERNS_INVALID`; NamespaceError for an unknown user */
export function planIdentity(request: PlanRequest, slots: SlotAllocator): PlannedIdentity {
  const { spec, root, lowers, life, fresh } = request;
  const containers = path.join(root, 'containers');
  const { id } = life.again ?? newIdentityOf(request);
  if (spec.name !== undefined) checkName(spec.name);
  if (spec.name !== undefined && !life.again) checkNotGiven(containers, spec.name);
  const record: ContainerRecord = { containers, id };
  const keepsId = spec.userns === 'keep-id';
  const caller = `${process.geteuid?.()}:${process.getegid?.()}`;
  const user = spec.host ? ownUser() : findUser(spec.user ?? (keepsId ? caller : lowers.config.user) ?? '', lowers.trees);
  const ids = life.again ? life.again.ids : ownIds(spec.userns, id, root);
  if (ids) checkUserNamespace(spec, ids, user);
  const hostname = spec.hostname ?? id;
  return {
    id,
    name: spec.name ?? fresh?.name,
    record,
    directory: directoryOf(record),
    hostname,
    args: commandOf(spec, lowers.config, life.idle),
    env: environmentOf(spec, lowers.config, user, hostname),
    user,
    ids,
    userns: ids && slots(),
    keepsSingleId: keepsId && !ids,
  };
}

/**
 * Returns the command of a container: the entrypoint, then the arguments. As with Docker, a new entrypoint drops the image's arguments.
 *
 * @param idle the container may have no command
 * @throws EngineError `NO_COMMAND`
 */
export function commandOf(spec: Pick<RunSpec, 'image' | 'entrypoint' | 'args'>, config: ImageConfig, idle = false): readonly string[] {
  const entrypoint = spec.entrypoint ?? config.entrypoint;
  const given = spec.args?.length ? spec.args : spec.entrypoint ? [] : config.cmd;
  const args = [...entrypoint, ...given];
  if (!args.length && !idle)
    throw new EngineError({
      code: 'NO_COMMAND',
      message: `the image '${spec.image}' defines no command`,
      hint: `Name one: lamella run ${spec.image} sh, or lamella run --on CONTAINER sh.`,
    });
  return args;
}

/** Returns the environment of a container's command: defaults, then the image's variables, then those of the spec. With `host` only the spec's. */
export function environmentOf(
  spec: Pick<RunSpec, 'host' | 'terminal' | 'env'>,
  config: ImageConfig,
  user: Pick<User, 'home'>,
  hostname: string,
): Record<string, string> {
  if (spec.host) return { ...spec.env };
  const image = Object.fromEntries(
    config.env.map((line) => {
      const equals = line.indexOf('=');
      return equals < 0 ? [line, ''] : [line.slice(0, equals), line.slice(equals + 1)];
    }),
  );
  return { PATH: DEFAULT_PATH, HOSTNAME: hostname, ...(spec.terminal ? { TERM: 'xterm' } : {}), HOME: user.home, ...image, ...spec.env };
}

/** @throws EngineError `USERNS_INVALID` */
export function checkUserNamespace(
  { workspace, volumes = [] }: Pick<RunSpec, 'workspace' | 'volumes'>,
  { uids, gids }: Pick<OwnIds, 'uids' | 'gids'>,
  { uid, gid }: Pick<User, 'uid' | 'gid'>,
): void {
  const fail = (message: string, hint: string): never => {
    throw new EngineError({ code: 'USERNS_INVALID', message, hint });
  };
  if (workspace !== undefined) fail('a workspace cannot have a user namespace', 'Import the image, and run it without --workspace.');
  if (volumes.some(({ source, overlay }) => overlay && path.normalize(source) === '/'))
    fail('an overlay volume of / cannot be used with a user namespace: the host root cannot be mapped to other ids', 'Mount a directory below it.');
  const has = (maps: OwnIds['uids'], id: number): boolean => maps.some(({ inside, count }) => id >= inside && id < inside + count);
  if (!has(uids, uid) || !has(gids, gid)) fail(`the user ${uid}:${gid} is outside the container's id range`, 'Use a larger range: --userns auto:size=65536.');
}
