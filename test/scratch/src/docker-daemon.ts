import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ScratchDirectory } from './directory.js';
import { findProgram } from './requires.js';

/** How `docker` reaches a daemon. */
export interface DockerDaemon {
  readonly env: NodeJS.ProcessEnv;
  /** Started by us, with its data in `docker-data`. */
  readonly own: boolean;
  /** Ends it, if it is ours. */
  close(): Promise<void>;
}

/** The running daemon, or one that this starts; or why neither works. */
export async function dockerDaemon(at: ScratchDirectory): Promise<DockerDaemon | string> {
  if (!findProgram('docker')) return 'docker is not installed';
  let env = process.env;
  let daemon: ChildProcess | undefined;
  const answers = (): boolean => spawnSync('docker', ['version'], { env, stdio: 'ignore' }).status === 0;
  if (!answers()) {
    if (!findProgram('dockerd')) return 'there is no dockerd';
    const [data, exec, pid] = ['docker-data', 'docker-exec', 'docker-pid'].map((name) => at.join(name)) as [string, string, string];
    const socket = `unix://${at.join('docker.sock')}`;
    env = { ...process.env, DOCKER_HOST: socket };
    daemon = spawn('dockerd', ['--iptables=false', '--bridge=none', '--data-root', data, '--exec-root', exec, '-H', socket, '-p', pid], { stdio: 'ignore' });
    for (let i = 0; i < 150 && !answers() && daemon.exitCode === null; i++) await sleep(100);
  }
  const close = async (): Promise<void> => {
    if (!daemon || daemon.exitCode !== null) return;
    daemon.kill('SIGTERM');
    await once(daemon, 'exit');
  };
  if (answers()) return { env, own: daemon !== undefined, close };
  await close();
  return 'dockerd does not come up here';
}
