import { chmodSync, chownSync, copyFileSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { cgroupVersion } from '@lamella/cgroup';
import { ImageStore } from '@lamella/image';
import { explainText, type Program } from '@lamella/syscall';
import { busyboxArchive, findProgram, requiresProgram, requiresRoot, type ScratchDirectory, scratch, skip } from '@lamella-test/scratch';
import { createTwoFilesPatch } from 'diff';
import { afterAll, beforeAll, beforeEach, expect, type TestContext, test } from 'vitest';
import { planExec } from '../../../lifecycle/exec.js';
import type { HostView } from '../../../model/host-view.js';
import type { RunSpec } from '../../../model/run-spec.js';
import { decide } from '../../decide.js';
import type { Life } from '../plan-request.js';

/** What is decided in each case: a run, and which of its lives. */
interface Case {
  readonly spec: Omit<RunSpec, 'image'>;
  readonly life?: Life;
  /** It is another life of a container that was made with the same spec. */
  readonly again?: true;
}

/** @param join the absolute path of something in a directory that has `project`, a directory, and `file`, a file */
function cases(join: (name: string) => string, isRoot: boolean): Readonly<Record<string, Case>> {
  const [project, file] = [join('project'), join('file')];
  const host: HostView = isRoot
    ? { overlays: [{ path: project, mount: true }], binds: [{ path: file, directory: false }], hidden: [{ path: join('secret'), directory: false }] }
    : {
        scaffold: [
          { path: '/usr', type: 'directory' },
          { path: '/bin', type: 'symlink', target: 'usr/bin' },
          ...['/proc', '/sys', '/dev'].map((each) => ({ path: each, type: 'directory' }) as const),
        ],
        overlays: [{ path: '/usr' }],
        binds: [],
        hidden: [],
      };
  return {
    'a volume': { spec: { volumes: [{ source: project, destination: '/project' }] } },
    'a read-only volume of a file': { spec: { volumes: [{ source: file, destination: '/etc/file', readonly: true }] } },
    'an overlay volume': { spec: { volumes: [{ source: project, destination: '/project', overlay: true }] } },
    'a tmpfs, and a read-only root': { spec: { tmpfs: [{ destination: '/run', size: '1m' }], readonlyRoot: true } },
    'a terminal': { spec: { terminal: { rows: 24, columns: 80 }, input: { forward: true, raw: true } } },
    'an init': { spec: { init: true } },
    'a user, a directory, an environment': { spec: { user: '1000:1000', cwd: '/tmp', env: { A: 'b' } } },
    capabilities: { spec: { capAdd: ['NET_ADMIN'], capDrop: ['CHOWN'] } },
    'no confinement': { spec: { capAdd: ['ALL'], seccomp: 'unconfined', noNewPrivileges: false } },
    'limits of a process': { spec: { rlimits: [{ name: 'nofile', soft: 100, hard: 200 }], oomScoreAdj: 500 } },
    'the network of the host': { spec: { network: 'host' } },
    'a network by pasta, and a port': { spec: { network: 'pasta', publish: [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }] } },
    ...(isRoot
      ? {
          'ids of its own': { spec: { userns: { mode: 'range', uid: 100_000, gid: 100_000, size: 65_536 } } },
          'a workspace': { spec: { workspace: join('workspace') } },
          'limits by a cgroup': { spec: { resources: { memory: 64 << 20, pidsLimit: 32 } } },
        }
      : {}),
    'the host (try)': { spec: { host, init: true, job: true } },
    'a detached container': { spec: { keep: true }, life: { detached: true } },
    'a detached container that is started again': { spec: { keep: true, restart: { policy: 'always' } }, life: { detached: true } },
    'a container that is only made': { spec: { keep: true }, life: { idle: true, hold: 'rest' } },
    'another life': { spec: { keep: true }, again: true },
    'a look at its files': { spec: { keep: true, volumes: [{ source: project, destination: '/project' }] }, life: { still: true }, again: true },
  };
}

/** What differs with each run, or with the machine. */
function normalised(program: Program, at: ScratchDirectory, { id, name }: { id: string; name?: string | undefined }): string {
  return (
    explainText(program)
      .replaceAll(at.path, '/scratch')
      .replaceAll(id, 'ID')
      .replaceAll(name ?? id, 'NAME')
      .replaceAll(/[0-9a-f]{64}/g, 'DIGEST')
      .replaceAll(/(?<=lamella-ID-)[0-9a-f]{8}/g, 'STORE')
      .replaceAll(/write\(…, "\{\\"version.*/g, 'write(…, CONFIG)')
      .replaceAll(/write\(…, .*(?=\n {2}close\(…\)\n {2}open_tree\(.*\n {2}openat2\(\d+, "\/etc\/resolv\.conf")/g, 'write(…, RESOLV.CONF)')
      // With the network of the host, its names, too.
      .replaceAll(/write\(…, (?!.*\\tbox).*(?=\n {2}close\(…\)\n {2}open_tree\(.*\n {2}openat2\(\d+, "\/etc\/hosts")/g, 'write(…, HOSTS)')
      .replaceAll(findProgram('pasta') ?? 'pasta', '/usr/bin/pasta')
  );
}

/**
 * Compares what is decided with what was, as texts beside this file: the plain run whole, the others as what differs of it. `vitest -u` writes
 * them anew, and the difference in a commit is what the kernel is asked otherwise.
 *
 * @param uid whose runs these are
 */
export function comparePlans(uid: number): void {
  const kind = uid === 0 ? 'root' : 'user';
  const golden = (name: string): string => path.join(import.meta.dirname, kind, `${name.replaceAll(/\W+/g, '-').replace(/-$/, '')}.txt`);
  let at: ScratchDirectory;
  let root = '';
  let plain: string;

  beforeAll(async () => {
    if (process.geteuid?.() !== 0) return;
    at = scratch();
    root = at.join('store');
    chmodSync(at.path, 0o755);
    for (const name of ['store', 'project', 'workspace']) mkdirSync(at.join(name));
    for (const name of ['file', 'secret']) writeFileSync(at.join(name), '');
    copyFileSync(busyboxArchive(), at.join('workspace/busybox.tar'));
    await new ImageStore(root).import(busyboxArchive(), 'busybox');
    if (uid === 0) return;
    for (const each of ['.', ...readdirSync(at.path, { recursive: true, encoding: 'utf8' })]) chownSync(at.join(each), uid, uid);
    process.setgroups?.([]);
    process.setegid?.(uid);
    process.seteuid?.(uid);
  });
  beforeEach((context) => {
    if (uid === 0 || process.geteuid?.() !== uid) requiresRoot(context);
    if (!statSync('/etc/resolv.conf', { throwIfNoEntry: false })?.size) skip(context, 'this machine has no name servers, and nothing is written of them');
    if (process.arch !== 'x64') skip(context, 'the filter has another length on each architecture');
  });
  afterAll(async () => {
    // Nothing was set up: this is not root.
    if (!root) return;
    process.seteuid?.(0);
    process.setegid?.(0);
    await at[Symbol.asyncDispose]();
  });

  const decided = async ({ spec, life = {}, again }: Case): Promise<string> => {
    const asked: RunSpec = { image: 'busybox', args: ['true'], hostname: 'box', ...spec };
    const first = again ? await decide(asked, {}, root, { idle: true }) : undefined;
    if (first) for (const name of ['upper', 'work', 'merged']) mkdirSync(path.join(first.directory, name), { recursive: true });
    const { program, config } = await decide(
      first ? { ...first.config.spec, args: ['true'] } : asked,
      {},
      root,
      first ? { ...life, again: first.config } : life,
    );
    return normalised(program, at, { id: config.id, name: config.spec.name });
  };

  beforeAll(async () => {
    if (root) plain = await decided({ spec: {} });
  });

  test('a plain run', async () => {
    await expect(`${plain}\n`).toMatchFileSnapshot(golden('a plain run'));
  });

  const needed = (context: TestContext, name: string): void => {
    if (name.includes('pasta')) requiresProgram(context, 'pasta');
    if (/cgroup|detached/.test(name) && cgroupVersion() !== 1) skip(context, 'a cgroup of version 2 is written to otherwise');
  };

  test.for(Object.keys(cases(String, uid === 0)))('%s', async (name, context) => {
    needed(context, name);
    const one = cases((each) => at.join(each), uid === 0)[name];
    if (!one) throw new TypeError(name);
    const text = await decided(one);
    const [, , ...lines] = createTwoFilesPatch('a plain run', name, `${plain}\n`, `${text}\n`, '', '', { context: 1 }).split('\n');
    const difference = lines.join('\n');
    // Where all slots have other numbers nothing is the same.
    await expect(difference.length < text.length ? difference : `${text}\n`).toMatchFileSnapshot(golden(name));
  });

  test('a command in it', async (context) => {
    if (/:\/.+/.test(readFileSync('/proc/1/cgroup', 'utf8'))) skip(context, 'the first process of this machine is in a cgroup of its own');
    const { config } = await decide({ image: 'busybox', args: ['true'], hostname: 'box' }, {}, root);
    const { program } = await planExec(config, 1, undefined, { args: ['true'] });
    await expect(`${normalised(program, at, { id: config.id, name: config.spec.name })}\n`).toMatchFileSnapshot(golden('a command in it'));
  });
}
