import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { becomes, type ScratchDirectory } from '@lamella-test/scratch';
import { brokenNodeFirst, engine } from './engine.js';

/** A containerd of the test's own; disposing ends it. */
export interface Containerd extends AsyncDisposable {
  /** The address of its API. */
  readonly socket: string;
}

/**
 * Start one whose files are all in the scratch directory.
 *
 * @param config what its configuration (version 2) says besides
 * @returns why there is none here, if so
 */
export async function startContainerd(at: ScratchDirectory, config = ''): Promise<Containerd | string> {
  const socket = at.join('containerd.sock');
  writeFileSync(
    at.join('config.toml'),
    `version = 2\nroot = "${at.join('root')}"\nstate = "${at.join('state')}"\n[grpc]\naddress = "${socket}"\n[ttrpc]\naddress = "${socket}.ttrpc"\n${config}`,
  );
  const daemon = spawn('containerd', ['--config', at.join('config.toml')], { env: brokenNodeFirst(at), stdio: 'ignore' });
  const ended = once(daemon, 'exit');
  const end = async (): Promise<void> => {
    daemon.kill('SIGTERM');
    await ended;
  };
  const version = (): boolean => engine('ctr', ['--address', socket])('version').status === 0;
  if (await becomes(version)) return { socket, [Symbol.asyncDispose]: end };
  await end();
  return 'containerd does not come up here';
}
