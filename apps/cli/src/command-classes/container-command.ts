import { type ContainerState, Containers, type StoredContainer } from '@lamella/engine';
import { UsageError } from '../errors/usage-error.js';
import { SOME_FAILED } from '../output/exit-status.js';
import { stdout } from '../output/out.js';
import { errorToJSON, reportError } from '../output/report-error.js';
import { LamellaCommand } from './lamella-command.js';

/** The base class of commands on containers: it finds them, and does the same to several. */
export abstract class ContainerCommand extends LamellaCommand {
  protected containersOf(flags: { root?: string | undefined }): Containers {
    return new Containers(this.storeRoot(flags));
  }

  /**
   * Runs an action on each container that was named, and prints the line that it returns. A failure is reported, and the other containers
   * are still handled.
   */
  protected async forEach(
    flags: { root?: string | undefined; json?: boolean; debug?: boolean },
    references: readonly string[],
    action: (container: StoredContainer, reference: string) => Promise<string | undefined>,
    {
      missingIsFine = false,
      unfound = (_, error) => Promise.reject(error),
    }: { readonly missingIsFine?: boolean; readonly unfound?: (reference: string, error: unknown) => Promise<string | undefined> } = {},
  ): Promise<void> {
    if (!references.length) throw noContainer();
    const containers = this.containersOf(flags);
    // In parallel: ten containers that are slow to stop take as long as one.
    const results = await Promise.all(
      references.map(async (reference) => {
        try {
          const found = await containers.get(reference).then(
            (container) => ({ container }),
            (why: unknown) => (isMissing(why) ? { why } : Promise.reject(why)),
          );
          return { reference, line: await ('container' in found ? action(found.container, reference) : unfound(reference, found.why)) };
        } catch (error) {
          if (missingIsFine && isMissing(error)) return { reference, line: undefined };
          return { reference, error };
        }
      }),
    );
    for (const { reference, line, error } of results) {
      if (error !== undefined) {
        process.exitCode = SOME_FAILED;
        if (flags.json) stdout.json({ container: reference, ...(errorToJSON(error) as object) });
        else reportError(error, { debug: flags.debug ?? false });
      } else if (flags.json) stdout.json({ container: reference });
      else if (line !== undefined) stdout.line(line);
    }
  }
}

function isMissing(error: unknown): boolean {
  return (error as { code?: string }).code === 'CONTAINER_NOT_FOUND';
}

/** Returns the error of a command line without a container. */
export function noContainer(): UsageError {
  return new UsageError('no container given', 'List the containers: lamella ps -a');
}

/** Returns the name of a container, or its id. */
export function displayName({ name, id }: Pick<ContainerState, 'name' | 'id'>): string {
  return name ?? id;
}
