import { readProcess } from '../config/read-config.js';
import type { OciConfig, OciProcess } from '../config/schema.js';
import { booleanFlag, listFlag, textFlag, usageError, type Values } from './parse-flags.js';

/** The process of `exec`: from a file, or the container's own with what the flags say of it. */
export function execProcess(values: Values, args: readonly string[]): (config: OciConfig) => OciProcess {
  const file = textFlag(values, 'process');
  if (file !== undefined) {
    const given = readProcess(file);
    return () => (values.tty === undefined ? given : { ...given, terminal: booleanFlag(values, 'tty') });
  }
  if (!args.length) throw usageError('exec needs a command, or --process FILE');
  const user = userOf(textFlag(values, 'user'));
  return ({ process: own }) => {
    const caps = listFlag(values, 'cap');
    const with_ = (set: readonly string[] | undefined): string[] => [...new Set([...(set ?? []), ...caps])];
    return {
      ...own,
      args: [...args],
      cwd: textFlag(values, 'cwd') ?? own?.cwd ?? '/',
      env: [...(own?.env ?? []), ...listFlag(values, 'env')],
      terminal: booleanFlag(values, 'tty'),
      user: {
        ...own?.user,
        ...user,
        ...(values['additional-gids'] === undefined
          ? {}
          : { additionalGids: listFlag(values, 'additional-gids').map((gid) => idOf(gid, '--additional-gids')) }),
      },
      ...(textFlag(values, 'apparmor') === undefined ? {} : { apparmorProfile: textFlag(values, 'apparmor') }),
      ...(textFlag(values, 'process-label') === undefined ? {} : { selinuxLabel: textFlag(values, 'process-label') }),
      ...(values['no-new-privs'] === undefined ? {} : { noNewPrivileges: booleanFlag(values, 'no-new-privs') }),
      ...(caps.length
        ? {
            capabilities: {
              ...own?.capabilities,
              bounding: with_(own?.capabilities?.bounding),
              effective: with_(own?.capabilities?.effective),
              permitted: with_(own?.capabilities?.permitted),
            },
          }
        : {}),
    } as OciProcess;
  };
}

function userOf(given: string | undefined): { uid?: number; gid?: number } {
  if (given === undefined) return {};
  const [uid = '', gid] = given.split(':');
  return { uid: idOf(uid, '--user'), ...(gid === undefined ? {} : { gid: idOf(gid, '--user') }) };
}

function idOf(given: string, flag: string): number {
  if (!/^\d+$/.test(given) || Number(given) >= 0xffffffff) throw usageError(`${flag} takes numbers, as UID[:GID], not '${given}'`);
  return Number(given);
}
