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
  static override summary = 'Log in to a registry, and remember it where Docker and podman do.';
  static override examples = ['<%= config.bin %> login registry.example.com -u me', 'echo "$TOKEN" | <%= config.bin %> login ghcr.io -u me --password-stdin'];
  static override args = { host: optionalArgument('HOST[:PORT][/NAMESPACE] (default: docker.io)') };
  static override flags = {
    username: stringFlag({ char: 'u', helpValue: 'NAME', required: true, description: 'who you are' }),
    'password-stdin': boolean({ description: 'read the password from stdin; else the terminal is asked' }),
    ...REGISTRY_FLAGS,
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Login);
    const place = parseLoginPlace(args.host ?? 'docker.io');
    const host = [place.host, place.path].filter(Boolean).join('/');
    const password = (flags['password-stdin'] ? await text(process.stdin) : await askPassword()).replace(/\r?\n$/, '');
    if (!password) throw new UsageError('there is no password', 'Type one, or give it by --password-stdin.');
    const credentials = { username: flags.username, password };
    await using client = new RegistryClient(place.host, '', { tlsVerify: flags['tls-verify'], credentials });
    await client.checkCredentials();
    const file = await storeCredentials(host, credentials);
    this.print(flags.json, { host, file }, [`logged in to ${host} (kept in ${file})`]);
  }
}

/** Without an echo. */
async function askPassword(): Promise<string> {
  if (!process.stdin.isTTY) throw new UsageError('there is no terminal to ask for the password', 'Give it by --password-stdin.');
  stderr.prompt('Password: ');
  process.stdin.setRawMode(true);
  try {
    let typed = '';
    for await (const chunk of process.stdin)
      for (const c of String(chunk)) {
        if (c === '\r' || c === '\n' || c === '\u0004') return typed;
        if (c === '\u0003') throw new UsageError('interrupted', 'Nothing was kept.');
        typed = c === '\u007f' ? typed.slice(0, -1) : typed + c;
      }
    return typed;
  } finally {
    process.stdin.setRawMode(false);
    process.stdin.pause();
    stderr.line('');
  }
}
