import { stat } from 'node:fs/promises';
import { familiarReference, ImageStore } from '@lamella/image';
import { argument } from '../argument.js';
import { LamellaCommand } from '../lamella-command.js';

export class Import extends LamellaCommand {
  static override summary = 'Import the tar of a root filesystem as an image.';
  static override description = 'The archive may be plain or compressed with gzip, zstd or xz. It is unpacked once, here; runs only mount it.';
  static override examples = [
    '<%= config.bin %> import rootfs.tar.gz debian:12',
    { description: 'From another tool:', command: 'docker export CONTAINER | <%= config.bin %> import - tools' },
    { description: 'From a directory:', command: 'tar -C rootfs -c . | <%= config.bin %> import - mine' },
  ];
  static override args = {
    file: argument('the archive, or - for stdin'),
    name: argument('NAME[:TAG] of the image'),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Import);
    const abort = new AbortController();
    const interrupt = (): void => abort.abort(new Error('interrupted; nothing was kept'));
    process.once('SIGINT', interrupt);
    process.once('SIGTERM', interrupt);
    const fromStdin = args.file === '-';
    const total = fromStdin ? undefined : (await stat(args.file).catch(() => undefined))?.size;
    const progress =
      process.stderr.isTTY && total !== undefined && !flags.json ? (await import('../output/progress-bar.js')).progressBar('unpacking', total) : undefined;
    try {
      const store = new ImageStore(this.storeRoot(flags));
      const source = fromStdin ? process.stdin : args.file;
      const result = await store.import(source, args.name, { signal: abort.signal, ...(progress ? { onProgress: progress.onProgress } : {}) });
      progress?.bar.stop();
      if (!flags.json) for (const warning of result.warnings) process.stderr.write(`lamella: note: ${warning}\n`);
      const { name, tag } = familiarReference(result.reference);
      const { digest, diffID, warnings, reused } = result;
      this.print(flags.json, { name, tag, digest, diffID, warnings, reused }, [`${name}:${tag} ${digest}`]);
    } finally {
      progress?.bar.stop();
      process.off('SIGINT', interrupt);
      process.off('SIGTERM', interrupt);
    }
  }
}
