import { booleanFlag, listFlag, textFlag, usageError, type Values } from '../command-line/parse-flags.js';
import { readProcess } from '../config/read-config.js';
import type { OciConfig, OciProcess } from '../config/schema.js';

/**
 * Returns how to make the process of `exec`: from a file, or from the container's process with the changes of the flags.
 *
 * @throws OciError `USAGE`
 */
export function execProcess(values: Values, args: readonly string[]): (config: OciConfig) => OciProcess {
  const file = textFlag(values, 'process');
  if (file !== undefined) {
    const given = readProcess(file);
    return () => (values.tty === undefined ? given : { ...given, terminal: booleanFlag(values, 'tty') });
  }
  if (!args.length) throw usageError('"lamella-oci exec" requires a command or --process FILE');
  const user = userOf(textFlag(values, 'user'));
  return ({ process: own }) => {
    const caps = listFlag(values, 'cap');
    const withAdded = (set: readonly string[] | undefined): string[] => [...new Set([...(set ?? []), ...caps])];
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
              bounding: withAdded(own?.capabilities?.bounding),
              effective: withAdded(own?.capabilities?.effective),
              permitted: withAdded(own?.capabilities?.permitted),
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
  if (!/^\d+$/.test(given) || Number(given) >= 0xffffffff) throw usageError(`invalid value '${given}' for ${flag}: use numeric IDs`);
  return Number(given);
}
