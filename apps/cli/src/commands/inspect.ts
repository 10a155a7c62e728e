import { ImageStore } from '@lamella/image';
import { string } from '@oclif/core/flags';
import { ContainerCommand, noContainer } from '../command-classes/container-command.js';
import { describeContainer } from '../container/describe-container.js';
import { UsageError } from '../errors/usage-error.js';
import { SOME_FAILED } from '../output/exit-status.js';
import { stdout } from '../output/out.js';
import { reportError } from '../output/report-error.js';
import { templateOf } from '../template/fill.js';
import { withMaps } from '../template/with-maps.js';

const MAPS = [
  ...['Config.ExposedPorts', 'Config.Labels', 'Config.Volumes', 'HostConfig.LogConfig.Config', 'HostConfig.PortBindings', 'HostConfig.Tmpfs'],
  ...['NetworkSettings.Networks', 'NetworkSettings.Ports'],
];

export class Inspect extends ContainerCommand {
  static override summary = 'Display detailed information on one or more containers';
  static override usage = 'inspect [OPTIONS] CONTAINER [CONTAINER…]';
  static override examples = ['<%= config.bin %> inspect web', "<%= config.bin %> inspect --format '{{.State.Status}}' web"];
  static override strict = false;
  static override flags = {
    format: string({ char: 'f', helpValue: 'TEMPLATE', description: "Format output using a Go template, such as '{{.State.Pid}}' or '{{json .Mounts}}'" }),
  };

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(Inspect);
    if (!argv.length) throw noContainer();
    const fill = flags.format === undefined ? undefined : templateOf(flags.format);
    const containers = this.containersOf(flags);
    const found: Record<string, unknown>[] = [];
    for (const reference of argv as string[]) {
      try {
        const container = await containers.get(reference);
        found.push(describeContainer(await container.state(), container.upper));
      } catch (error) {
        if ((error as { code?: string }).code === 'CONTAINER_NOT_FOUND' && (await this.#isImage(flags, reference)))
          reportError(new UsageError(`'${reference}' is an image, not a container`, `Inspect the image: lamella image inspect ${reference}`));
        else reportError(error, { debug: flags.debug });
        process.exitCode = SOME_FAILED;
      }
    }
    if (!fill) stdout.json(found, flags.json ? undefined : 2);
    else for (const each of found) stdout.line(fill(withMaps(each, MAPS)));
  }

  async #isImage(flags: { root?: string | undefined }, reference: string): Promise<boolean> {
    try {
      await new ImageStore(this.storeRoot(flags)).describe(reference);
      return true;
    } catch {
      // The error about the container is the one to report.
      return false;
    }
  }
}
