import { storeCredentials } from '@lamella/image';
import { optionalArgument } from '../argument.js';
import { LamellaCommand } from '../lamella-command.js';

export class Logout extends LamellaCommand {
  static override summary = 'Forget the credentials for a registry.';
  static override args = { host: optionalArgument('HOST[:PORT] (default: docker.io)') };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Logout);
    const { host = 'docker.io' } = args;
    const file = await storeCredentials(host, undefined);
    this.print(flags.json, { host, file }, [`logged out of ${host}`]);
  }
}
