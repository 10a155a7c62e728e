import { forgetCredentials, parseLoginPlace } from '@lamella/image';
import { LamellaCommand } from '../command-classes/lamella-command.js';
import { optionalArgument } from '../command-line/arguments.js';

export class Logout extends LamellaCommand {
  static override summary = 'Log out from a registry';
  static override args = { host: optionalArgument('Registry: HOST[:PORT][/NAMESPACE] (default: docker.io)') };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Logout);
    const place = parseLoginPlace(args.host ?? 'docker.io');
    const host = [place.host, place.path].filter(Boolean).join('/');
    const removedFrom = await forgetCredentials(host);
    this.print(flags.json, { host, removedFrom }, [`Removed login credentials for ${host}`]);
  }
}
