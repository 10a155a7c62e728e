import { LamellaCommand } from '../command-classes/lamella-command.js';
import { requiredArgument } from '../command-line/arguments.js';
import { UserPlugins } from '../plugins/user-plugins.js';

export class PluginsInstall extends LamellaCommand {
  static override summary = 'Install a plugin from npm';
  static override examples = [
    '<%= config.bin %> plugins install @lamella/plugin-oci',
    { description: 'Install a tarball:', command: '<%= config.bin %> plugins install file:/tmp/plugin.tgz' },
  ];
  static override args = { spec: requiredArgument('NAME, NAME@VERSION, or any other argument of npm install') };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(PluginsInstall);
    const name = await new UserPlugins(this.config.dataDir).install(args.spec);
    this.print(flags.json, { name }, [name]);
  }
}
