import { boolean, string } from '@oclif/core/flags';
import { ContainerCommand } from '../command-classes/container-command.js';
import { requiredArgument } from '../command-line/arguments.js';
import { parseInteger } from '../command-line/go-values.js';
import { parseTime } from '../command-line/parse-time.js';
import { UsageError } from '../errors/usage-error.js';
import { DataOut } from '../output/data-out.js';
import { stderr, stdout } from '../output/out.js';
import { jsonLine } from '../output/printable.js';

export class Logs extends ContainerCommand {
  static override summary = 'Print what a container wrote, its stdout to stdout and its stderr to stderr.';
  static override examples = [
    '<%= config.bin %> logs web',
    { description: 'The last lines, and what comes:', command: '<%= config.bin %> logs -f --tail 20 web' },
  ];
  static override args = { container: requiredArgument('its name, its id, or the beginning of it') };
  static override flags = {
    follow: boolean({ char: 'f', description: 'go on until it ends' }),
    since: string({ helpValue: 'TIME', description: 'from then on: 2026-01-02T15:04:05Z, or 10m for ten minutes ago' }),
    until: string({ helpValue: 'TIME', description: 'until then' }),
    tail: string({ char: 'n', helpValue: 'N|all', default: 'all', description: 'how many of the last lines' }),
    timestamps: boolean({ char: 't', description: 'with the time of each line' }),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Logs);
    const tail = flags.tail === 'all' ? -1 : parseInteger(flags.tail);
    if (tail === undefined) throw new UsageError(`'${flags.tail}' is not a number of lines`, 'Write --tail 20, or all.');
    const container = await this.containersOf(flags).get(args.container);
    if (!container.hasLog && (await container.state()).status !== 'created')
      stderr.line(`lamella: what ${args.container} wrote went to whoever ran it; those that run by themselves (-d, start) have a log`);
    const abort = new AbortController();
    process.once('SIGINT', () => abort.abort());
    process.once('SIGTERM', () => abort.abort());
    const logs = container.logs({
      follow: flags.follow,
      signal: abort.signal,
      ...(flags.since === undefined ? {} : { since: parseTime(flags.since) }),
      ...(flags.until === undefined ? {} : { until: parseTime(flags.until) }),
      // As with Docker less than none is all.
      ...(tail < 0 ? {} : { tail }),
    });
    await using out = new DataOut(stdout.stream());
    // A terminal that went away is no reason to lose what goes to stdout.
    await using errors = new DataOut(stderr.stream(), { lossy: true });
    const outputs = { stdout: out, stderr: errors };
    const begins = { stdout: true, stderr: true };
    for await (const { timestamp, stream, content } of logs) {
      if (flags.json) await out.write(`${jsonLine({ time: timestamp, stream, content: content.toString('utf8') })}\n`);
      else if (flags.timestamps && begins[stream]) await outputs[stream].write(Buffer.concat([Buffer.from(`${timestamp} `), content]));
      else await outputs[stream].write(content);
      begins[stream] = content.at(-1) === 10;
    }
  }
}
