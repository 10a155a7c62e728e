import type { StoredContainer } from '@lamella/engine';
import { boolean, string } from '@oclif/core/flags';
import { ContainerCommand } from '../command-classes/container-command.js';
import { acceptedPaths, acceptSource } from '../container/accept-source.js';
import { UsageError } from '../errors/usage-error.js';
import { notifyPlugins } from '../hooks/plugin-hooks.js';
import { knownStatusOf, reportFailure } from '../output/exit-status.js';
import { attachSession } from '../terminal/attached-session.js';
import { DEFAULT_DETACH_KEYS, parseDetachKeys, printDetached } from '../terminal/detach-keys.js';
import { requireTty } from '../terminal/require-tty.js';

export class Start extends ContainerCommand {
  static override summary = 'Start one or more stopped containers';
  static override usage = 'start [OPTIONS] CONTAINER [CONTAINER…]';
  static override examples = [
    '<%= config.bin %> start web',
    { description: 'Accept a volume whose source was replaced:', command: '<%= config.bin %> start --accept-source /etc/app.conf web' },
    { description: 'Attach to the container:', command: '<%= config.bin %> start -ai shell' },
  ];
  static override strict = false;
  static override flags = {
    attach: boolean({ char: 'a', description: 'Attach STDOUT/STDERR and forward signals' }),
    interactive: boolean({ char: 'i', description: "Attach container's STDIN" }),
    'accept-source': acceptSource(),
    'detach-keys': string({ helpValue: 'KEYS', default: DEFAULT_DETACH_KEYS, description: 'Override the key sequence for detaching a container' }),
  };

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(Start);
    const references = argv as string[];
    const acceptSources = acceptedPaths(flags['accept-source']);
    if (!flags.attach && !flags.interactive) {
      await this.forEach(flags, references, async (container, reference) => {
        if (!(await started(container, acceptSources))) return reference;
        await notifyPlugins('after_start', { id: container.id });
        return reference;
      });
      return;
    }
    const [reference, ...more] = references;
    if (reference === undefined || more.length)
      throw new UsageError('you cannot start and attach multiple containers at once', 'Name one container, or remove -a and -i.');
    const keys = parseDetachKeys(flags['detach-keys']);
    const container = await this.containersOf(flags).get(reference);
    if (flags.interactive && container.config.spec.terminal) requireTty(`To attach without STDIN: lamella start -a ${reference}`);
    try {
      const attached = (await isRunning(container)) ? await container.attach() : await container.start({ attach: true, acceptSources });
      await notifyPlugins('after_start', { id: container.id }).catch((error: unknown) => {
        // The container keeps running, and this command does not wait for it.
        attached.detach();
        throw error;
      });
      const ending = await attachSession(attached, { terminal: container.config.spec.terminal !== undefined, input: flags.interactive, signals: true, keys });
      if (ending === 'left') printDetached(reference);
      process.exitCode = ending === 'left' ? 0 : (knownStatusOf(ending) ?? 125);
    } catch (error) {
      process.exitCode = reportFailure(error, { json: flags.json, debug: flags.debug });
    }
  }
}

/** Whether a container is running already. As with Docker that is not an error. */
async function isRunning(container: StoredContainer): Promise<boolean> {
  return (await container.state()).status === 'running';
}

/** Starts a container. @returns whether it was not running before */
async function started(container: StoredContainer, acceptSources: readonly string[]): Promise<boolean> {
  try {
    if (await isRunning(container)) return false;
    await container.start({ acceptSources });
    return true;
  } catch (error) {
    // Another command has started it meanwhile.
    if ((error as { code?: string }).code === 'CONTAINER_RUNNING' && (await isRunning(container))) return false;
    throw error;
  }
}
