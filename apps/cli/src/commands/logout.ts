import { storeCredentials } from '@lamella/image';
import { argument } from '../argument.js';
import { LamellaCommand } from '../lamella-command.js';

export class Logout extends LamellaCommand {
  static override summary = 'Forget the credentials for a registry.';
  static override args = { host: argument({ default: 'docker.io', description: 'HOST[:PORT]' }) };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Logout);
    const file = await storeCredentials(args.host, undefined);
    this.print(flags.json, { host: args.host, file }, [`logged out of ${args.host}`]);
  }
}
