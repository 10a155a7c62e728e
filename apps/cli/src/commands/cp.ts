import { lstat, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { getFiles, putFiles } from '@lamella/image';
import { boolean } from '@oclif/core/flags';
import { argument } from '../argument.js';
import { ContainerCommand } from '../container/container-command.js';
import { stdout } from '../output/out.js';
import { UsageError } from '../usage-error.js';

export class Cp extends ContainerCommand {
  static override summary = 'Copy files into a container or out of it, whether it runs or not.';
  static override description = `SRC and DST are a path of the host, or CONTAINER:PATH; - is a tar on stdin or stdout. As with Docker, a
directory is copied as a whole, or what is in it when its path ends with /., and what is copied in belongs
to root. What is mounted below a directory inside is left out.`;
  static override usage = 'cp [FLAGS] SRC DST';
  static override examples = [
    '<%= config.bin %> cp web:/etc/nginx.conf .',
    '<%= config.bin %> cp ./site/. web:/srv',
    '<%= config.bin %> cp web:/var/log - | tar t',
  ];
  static override args = { source: argument('what to copy'), destination: argument('where to') };
  static override flags = {
    archive: boolean({ char: 'a', description: 'keep owners' }),
    'follow-link': boolean({ char: 'L', description: 'of a link of the host at the end of SRC, copy what it leads to' }),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Cp);
    const [source, destination] = [place(args.source), place(args.destination)];
    if (source.container !== undefined && destination.container === undefined) return this.#out(flags, source as Inside, destination.path);
    if (source.container === undefined && destination.container !== undefined) return this.#in(flags, source.path, destination as Inside);
    throw new UsageError('one of SRC and DST is in a container, and the other is not', 'Write CONTAINER:/path for the one, and ./path or - for the other.');
  }

  async #out(flags: Flags, source: Inside, destination: string): Promise<void> {
    const container = await this.containersOf(flags).get(source.container);
    const content = /(?:^|\/)\.$/.test(source.path);
    const own = path.posix.basename(path.posix.resolve('/', source.path)) || '.';
    if (destination === '-' && stdout.isTerminal) throw new UsageError('a tar is not for a terminal', 'Name a directory, or give it a pipe.');
    if (destination === '-') return pipeline(await container.copyOut(source.path, content ? '.' : own), stdout.stream());
    const there = await stat(destination).catch(missing);
    if (there && !there.isDirectory() && (await container.isDirectory(source.path)))
      throw new UsageError(`${destination} is not a directory`, 'A directory is copied into one.');
    const into = there?.isDirectory() ? destination : path.dirname(path.resolve(destination));
    if (!there && !(await stat(into).catch(missing))?.isDirectory()) throw new UsageError(`${into} is not a directory`, 'Make it first.');
    const name = there?.isDirectory() ? (content ? '.' : own) : path.basename(path.resolve(destination));
    const archive = await container.copyOut(source.path, name);
    await putFiles(archive, await realpath(into), { keepOwners: flags.archive });
  }

  async #in(flags: Flags, source: string, destination: Inside): Promise<void> {
    const container = await this.containersOf(flags).get(destination.container);
    const target = path.posix.resolve('/', destination.path);
    const isDirectory = await container.isDirectory(target);
    if (source === '-') {
      if (!isDirectory) throw new UsageError(`${target} in the container is not a directory`, 'What comes on stdin is unpacked into one.');
      return container.copyIn(process.stdin, target, { keepOwners: flags.archive });
    }
    const follow = flags['follow-link'] || /\/\.?$/.test(source);
    const found = await (follow ? stat : lstat)(source).catch(missing);
    if (!found) throw new UsageError(`${source} does not exist`, 'Check the path.');
    const content = /(?:^|\/)\.$/.test(source) && found.isDirectory();
    if (isDirectory === false && found.isDirectory()) throw new UsageError(`${target} in the container is not a directory`, 'A directory is copied into one.');
    if (!isDirectory && destination.path.endsWith('/') && !found.isDirectory())
      throw new UsageError(`${target} in the container is not a directory`, 'Without a / at its end it is the name of the copy.');
    const absolute = path.resolve(source);
    // Into a directory by its own name; else its new name is the last part of the target.
    const name = isDirectory ? (content ? '.' : path.basename(absolute)) : path.posix.basename(target);
    const { dir, base } = path.parse(follow ? await realpath(absolute) : absolute);
    await container.copyIn(getFiles(dir, base || '.', name), isDirectory ? target : path.posix.dirname(target), {
      keepOwners: flags.archive,
    });
  }
}

interface Inside {
  readonly container: string;
  readonly path: string;
}

type Flags = { readonly archive: boolean; readonly 'follow-link': boolean; readonly root?: string | undefined };

/** `CONTAINER:PATH`, or a path of the host: one with a colon is written ./like:this. */
function place(text: string): { readonly container: string | undefined; readonly path: string } {
  const [, container, inside] = /^([^/.:][^/:]*):(.*)$/s.exec(text) ?? [];
  if (container === undefined || inside === undefined) return { container: undefined, path: text };
  if (!inside) throw new UsageError(`'${text}' names no path`, 'Write CONTAINER:/path.');
  return { container, path: inside };
}

function missing(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
  throw error;
}
