import { familiarReference, ImageStore } from '@lamella/image';
import { LamellaCommand } from '../command-classes/lamella-command.js';
import { requiredArgument } from '../command-line/arguments.js';
import { OUR_FAILURE } from '../output/exit-status.js';
import { stdout } from '../output/out.js';
import { reportError } from '../output/report-error.js';

export class Rmi extends LamellaCommand {
  static override summary = 'Remove one or more images';
  static override examples = ['<%= config.bin %> rmi busybox', '<%= config.bin %> rmi debian:12 tools'];
  static override strict = false;
  static override usage = 'rmi IMAGE [IMAGE…]';
  static override args = { name: requiredArgument('Name of an image; more may follow') };

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(Rmi);
    const store = new ImageStore(this.storeRoot(flags));
    const removed: object[] = [];
    for (const each of argv) {
      try {
        const { reference, digest, blobs, layers } = await store.remove(String(each));
        const { name, tag } = familiarReference(reference);
        removed.push({ name, tag, digest, blobs, layers });
        if (!flags.json) stdout.line(`removed ${name}:${tag}${layers.length ? ` and ${layers.length} layer${layers.length > 1 ? 's' : ''}` : ''}`);
      } catch (error) {
        if (flags.json) throw error;
        reportError(error, { debug: flags.debug });
        process.exitCode = OUR_FAILURE;
      }
    }
    if (flags.json) this.print(true, removed, []);
  }
}
