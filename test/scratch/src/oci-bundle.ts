import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { busyboxArchive } from './busybox.js';
import type { ScratchDirectory } from './directory.js';

/** `lamella-oci` as its users start it. LAMELLA_NODE names its Node. */
export const OCI_RUNTIME: string = path.join(import.meta.dirname, '../../../packages/oci-runtime/bin/lamella-oci');

export interface OciResult {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

// biome-ignore lint/suspicious/noExplicitAny: tests write into it whatever they want to see refused
type Config = any;

/** A bundle with busybox in it, and a runtime with a separate state directory. */
export interface OciBundle {
  readonly bundle: string;
  readonly root: string;
  /** Write config.json: the one of `lamella-oci spec`, without a terminal, as a test wants it. */
  configure(change?: (config: Config) => void): void;
  /** Run the command. What it starts may outlive it: its output goes through files. */
  oci(...args: string[]): OciResult;
}

let count = 0;

export function ociBundle(at: ScratchDirectory, runtime: readonly string[] = [OCI_RUNTIME], env: NodeJS.ProcessEnv = {}): OciBundle {
  const bundle = at.join('bundle');
  const root = at.join('state');
  mkdirSync(path.join(bundle, 'rootfs'), { recursive: true });
  execFileSync('tar', ['-xf', busyboxArchive(), '-C', path.join(bundle, 'rootfs')]);
  const [command = '', ...before] = runtime;
  const oci = (...args: string[]): OciResult => {
    const files = ['stdout', 'stderr'].map((name) => at.join(`${name}-${count++}`)) as [string, string];
    const [out, err] = files.map((file) => openSync(file, 'w')) as [number, number];
    const { status } = spawnSync(command, [...before, '--root', root, ...args], {
      cwd: bundle,
      env: { ...process.env, LAMELLA_NODE: process.execPath, ...env },
      stdio: ['ignore', out, err],
      timeout: 60_000,
    });
    closeSync(out);
    closeSync(err);
    return { status, stdout: readFileSync(files[0], 'utf8'), stderr: readFileSync(files[1], 'utf8') };
  };
  return {
    bundle,
    root,
    oci,
    configure(change) {
      const file = path.join(bundle, 'config.json');
      execFileSync('rm', ['-f', file]);
      const { status, stderr } = oci('spec');
      if (status !== 0) throw new Error(stderr);
      const config = JSON.parse(readFileSync(file, 'utf8'));
      config.process.terminal = false;
      config.root.readonly = false;
      change?.(config);
      writeFileSync(file, JSON.stringify(config));
    },
  };
}
