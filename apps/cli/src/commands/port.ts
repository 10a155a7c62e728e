import { ContainerCommand } from '../command-classes/container-command.js';
import { optionalArgument, requiredArgument } from '../command-line/arguments.js';
import { formatBinding, hostBindings } from '../container/format-ports.js';
import { UsageError } from '../errors/usage-error.js';
import { OUR_FAILURE } from '../output/exit-status.js';
import { reportError } from '../output/report-error.js';

export class Port extends ContainerCommand {
  static override summary = 'List port mappings or a specific mapping for the container';
  static override description =
    'With --network pasta these are the ports that were published with -p. With --network host these are the ports that the image exposes.';
  static override usage = 'port [OPTIONS] CONTAINER [PRIVATE_PORT[/PROTO]]';
  static override examples = ['<%= config.bin %> port web', '<%= config.bin %> port web 80/tcp'];
  static override args = {
    container: requiredArgument('Name or ID of the container'),
    port: optionalArgument('Port inside the container, such as 80 or 53/udp'),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Port);
    const { config } = await this.containersOf(flags).get(args.container);
    const exposed = config.spec.network === 'host' ? (config.lowers.config.exposedPorts ?? []) : [];
    const bindings = [
      ...(config.spec.publish ?? []).flatMap((port) =>
        hostBindings(port).map((host) => ({ port: `${port.containerPort}/${port.protocol}`, host: formatBinding(host) })),
      ),
      ...exposed.map((each) => ({ port: each, host: `0.0.0.0:${each.split('/')[0]}` })),
    ];
    const wanted = args.port === undefined ? undefined : args.port.includes('/') ? args.port : `${args.port}/tcp`;
    const found = bindings.filter(({ port }) => wanted === undefined || port === wanted);
    if (wanted !== undefined && !found.length) {
      reportError(new UsageError(`no public port '${wanted}' published for ${args.container}`, `List the published ports: lamella port ${args.container}`));
      process.exitCode = OUR_FAILURE;
      return;
    }
    this.print(
      flags.json,
      found,
      found.map(({ port, host }) => (wanted === undefined ? `${port} -> ${host}` : host)),
    );
  }
}
