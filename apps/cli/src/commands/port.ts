import { argument } from '../argument.js';
import { ContainerCommand } from '../container/container-command.js';

export class Port extends ContainerCommand {
  static override summary = "List the ports of a container that the host's network reaches.";
  static override description =
    "A container with --network host listens on the host's own addresses: those are the ports its image exposes. One with a network of its own has none.";
  static override examples = ['<%= config.bin %> port web'];
  static override args = { container: argument('its name, its id, or the beginning of it') };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Port);
    const { config } = await this.containersOf(flags).get(args.container);
    const ports = config.spec.network === 'host' ? (config.lowers.config.exposedPorts ?? []) : [];
    this.print(
      flags.json,
      ports,
      ports.map((port) => `${port} -> 0.0.0.0:${port.split('/')[0]}`),
    );
  }
}
