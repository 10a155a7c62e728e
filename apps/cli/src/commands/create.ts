import { Command } from '@oclif/core/command';
import { optionalArgument, requiredArgument } from '../command-line/arguments.js';
import { notifyPlugins } from '../hooks/plugin-hooks.js';
import { reportOwnFailure } from '../output/exit-status.js';
import { stdout } from '../output/out.js';
import { buildDetachedSpec } from '../run/run-detached.js';
import { writeCidfile } from '../run/write-cidfile.js';
import { parseRun } from '../run-flags/parse-run.js';
import { CONTAINER_FLAGS } from '../run-flags/run-flags.js';
import { pullProgress } from '../transfer/pull-progress.js';

export class Create extends Command {
  static override summary = 'Create a new container';
  static override usage = 'create [OPTIONS] IMAGE [COMMAND [ARG…]]';
  static override examples = ['<%= config.bin %> create --name web busybox httpd -f', '<%= config.bin %> start web'];
  static override strict = false;
  static override flags = CONTAINER_FLAGS;
  static override args = {
    image: requiredArgument('Name of an image, in the store or in a registry'),
    command: optionalArgument("Command to run (default: the image's)"),
  };

  /** Not by oclif, which would complain of that where NODE_ENV is that of a developer. */
  override parsed = true;

  async run(): Promise<void> {
    const debug = this.argv.includes('--debug');
    try {
      const line = await parseRun(this.argv, 'create');
      const { containers, spec } = await buildDetachedSpec(line);
      const bars = pullProgress(line);
      try {
        await notifyPlugins('before_create', { spec });
        const { id } = await containers.create(spec, { onPull: bars.show, onNote: bars.note });
        if (line.flags.cidfile !== undefined) writeCidfile(line.flags.cidfile, id);
        if (line.flags.json) stdout.json({ id });
        else stdout.line(id);
      } finally {
        bars.stop();
      }
    } catch (error) {
      process.exitCode = reportOwnFailure(error, { debug });
    }
  }
}
