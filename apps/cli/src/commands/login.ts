import { text } from 'node:stream/consumers';
import { parseLoginPlace, storeCredentials } from '@lamella/image';
import { RegistryClient } from '@lamella/image/registry-client';
import { boolean, string as stringFlag } from '@oclif/core/flags';
import { LamellaCommand } from '../command-classes/lamella-command.js';
import { optionalArgument } from '../command-line/arguments.js';
import { UsageError } from '../errors/usage-error.js';
import { stderr } from '../output/out.js';
import { REGISTRY_FLAGS } from '../transfer/watch-transfer.js';

export class Login extends LamellaCommand {
  static override summary = 'Log in to a registry';
  static override description = 'The credentials are stored where Docker and podman store them.';
  static override examples = ['<%= config.bin %> login registry.example.com -u me', 'echo "$TOKEN" | <%= config.bin %> login ghcr.io -u me --password-stdin'];
  static override args = { host: optionalArgument('Registry: HOST[:PORT][/NAMESPACE] (default: docker.io)') };
  static override flags = {
    username: stringFlag({ char: 'u', helpValue: 'NAME', required: true, description: 'Username' }),
    'password-stdin': boolean({ description: 'Take the password from stdin' }),
    ...REGISTRY_FLAGS,
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Login);
    const place = parseLoginPlace(args.host ?? 'docker.io');
    const host = [place.host, place.path].filter(Boolean).join('/');
    const password = (flags['password-stdin'] ? await text(process.stdin) : await askPassword()).replace(/\r?\n$/, '');
    if (!password) throw new UsageError('the password is empty', 'Enter a password, or use --password-stdin.');
    const credentials = { username: flags.username, password };
    await using client = new RegistryClient(place.host, '', { tlsVerify: flags['tls-verify'], credentials });
    await client.checkCredentials();
    const file = await storeCredentials(host, credentials);
    this.print(flags.json, { host, file }, [`Login Succeeded: ${host} (credentials stored in ${file})`]);
  }
}

/** Asks for the password on the terminal, without an echo. */
async function askPassword(): Promise<string> {
  if (!process.stdin.isTTY) throw new UsageError('cannot ask for the password: STDIN is not a terminal', 'Use --password-stdin.');
  stderr.prompt('Password: ');
  process.stdin.setRawMode(true);
  try {
    let typed = '';
    for await (const chunk of process.stdin)
      for (const c of String(chunk)) {
        if (c === '\r' || c === '\n' || c === '\u0004') return typed;
        if (c === '\u0003') throw new UsageError('interrupted', 'No credentials were stored.');
        typed = c === '\u007f' ? typed.slice(0, -1) : typed + c;
      }
    return typed;
  } finally {
    process.stdin.setRawMode(false);
    process.stdin.pause();
    stderr.line('');
  }
}
