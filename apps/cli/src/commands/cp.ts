import { boolean } from '@oclif/core/flags';
import { ContainerCommand } from '../command-classes/container-command.js';
import { requiredArgument } from '../command-line/arguments.js';
import { copyToContainer } from '../copy/copy-in.js';
import { copyFromContainer } from '../copy/copy-out.js';
import { UsageError } from '../errors/usage-error.js';

export class Cp extends ContainerCommand {
  static override summary = 'Copy files into a container or out of it, whether it runs or not.';
  static override description = `SRC and DST are a path of the host, or CONTAINER:PATH; - is a tar on stdin or stdout. Copies are Docker's:

- A directory is copied as a whole, or what is in it when its path ends with /.
- A link is copied as a link, unless -L follows it. No link in a container leads out of it.
- What is copied in belongs to root, or with -a to whom it did.
- What the container sees is copied, and copied to: its volumes, whether it runs or not. /proc, /sys and /dev are left empty.`;
  static override usage = 'cp [FLAGS] SRC DST';
  static override examples = [
    '<%= config.bin %> cp web:/etc/nginx.conf .',
    '<%= config.bin %> cp ./site/. web:/srv',
    '<%= config.bin %> cp web:/var/log - | tar t',
  ];
  static override args = { source: requiredArgument('what to copy'), destination: requiredArgument('where to') };
  static override flags = {
    archive: boolean({ char: 'a', description: 'keep owners' }),
    'follow-link': boolean({ char: 'L', description: 'of a link at the end of SRC, copy what it leads to' }),
    quiet: boolean({ char: 'q', description: 'print nothing, as always: for scripts written for docker' }),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Cp);
    const [source, destination] = [place(args.source), place(args.destination)];
    const asked = { archive: flags.archive, followLink: flags['follow-link'] };
    if (source.container !== undefined && destination.container === undefined)
      return copyFromContainer(await this.containersOf(flags).get(source.container), source.path, destination.path, asked);
    if (source.container === undefined && destination.container !== undefined)
      return copyToContainer(await this.containersOf(flags).get(destination.container), source.path, destination.path, asked);
    throw new UsageError('one of SRC and DST is in a container, and the other is not', 'Write CONTAINER:/path for the one, and ./path or - for the other.');
  }
}

/** `CONTAINER:PATH`, or a path of the host: one with a colon is written ./like:this. */
function place(text: string): { readonly container: string | undefined; readonly path: string } {
  const [, container, inside] = /^([^/.:][^/:]*):(.*)$/s.exec(text) ?? [];
  if (container === undefined || inside === undefined) return { container: undefined, path: text };
  if (!inside) throw new UsageError(`'${text}' names no path`, 'Write CONTAINER:/path.');
  return { container, path: inside };
}
