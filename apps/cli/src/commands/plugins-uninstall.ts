import { LamellaCommand } from '../command-classes/lamella-command.js';
import { requiredArgument } from '../command-line/arguments.js';
import { UserPlugins } from '../plugins/user-plugins.js';

export class PluginsUninstall extends LamellaCommand {
  static override summary = 'Remove a plugin';
  static override examples = ['<%= config.bin %> plugins uninstall @lamella/plugin-oci'];
  static override args = { name: requiredArgument('Name of the plugin') };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(PluginsUninstall);
    await new UserPlugins(this.config.dataDir).uninstall(args.name);
    this.print(flags.json, { name: args.name }, [args.name]);
  }
}
