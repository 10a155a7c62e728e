import { boolean } from '@oclif/core/flags';
import { ContainerCommand } from '../command-classes/container-command.js';
import { requiredArgument } from '../command-line/arguments.js';
import { copyToContainer } from '../copy/copy-in.js';
import { copyFromContainer } from '../copy/copy-out.js';
import { UsageError } from '../errors/usage-error.js';

export class Cp extends ContainerCommand {
  static override summary = 'Copy files between a container and the local filesystem';
  static override description =
    `One path is on the host, and one is CONTAINER:PATH. With - a tar archive is read from stdin or written to stdout. The container may be running or stopped. The rules are those of docker cp:

- A directory is copied with its name; a path that ends with /. copies only its content.
- A symbolic link is copied as a link, unless -L is given. Links in a container cannot lead out of it.
- Files in the container are owned by root, or with -a by their original owner.
- Volumes are included. /proc, /sys and /dev are empty.`;
  static override usage = ['cp [OPTIONS] CONTAINER:SRC_PATH DEST_PATH|-', 'cp [OPTIONS] SRC_PATH|- CONTAINER:DEST_PATH'];
  static override examples = [
    '<%= config.bin %> cp web:/etc/nginx.conf .',
    '<%= config.bin %> cp ./site/. web:/srv',
    '<%= config.bin %> cp web:/var/log - | tar t',
  ];
  static override args = {
    source: requiredArgument('Path to copy from: CONTAINER:PATH, a path on the host, or -'),
    destination: requiredArgument('Path to copy to: CONTAINER:PATH, a path on the host, or -'),
  };
  static override flags = {
    archive: boolean({ char: 'a', description: 'Archive mode (copy all uid/gid information)' }),
    'follow-link': boolean({ char: 'L', description: 'Always follow symbol link in SRC_PATH' }),
    quiet: boolean({ char: 'q', description: 'Suppress progress output during copy (always on)' }),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Cp);
    const [source, destination] = [place(args.source), place(args.destination)];
    const asked = { archive: flags.archive, followLink: flags['follow-link'] };
    if (source.container !== undefined && destination.container === undefined)
      return copyFromContainer(await this.containersOf(flags).get(source.container), source.path, destination.path, asked);
    if (source.container === undefined && destination.container !== undefined)
      return copyToContainer(await this.containersOf(flags).get(destination.container), source.path, destination.path, asked);
    throw new UsageError('exactly one of SRC_PATH and DEST_PATH must be in a container', 'Use CONTAINER:/path for one, and ./path or - for the other.');
  }
}

/** Parses `CONTAINER:PATH`, or a path on the host. A path on the host with a colon needs a prefix: `./a:b`. */
function place(text: string): { readonly container: string | undefined; readonly path: string } {
  const [, container, inside] = /^([^/.:][^/:]*):(.*)$/s.exec(text) ?? [];
  if (container === undefined || inside === undefined) return { container: undefined, path: text };
  if (!inside) throw new UsageError(`'${text}' has no path`, 'Use CONTAINER:/path.');
  return { container, path: inside };
}
