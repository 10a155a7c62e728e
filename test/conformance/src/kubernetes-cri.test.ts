import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { credentials, loadPackageDefinition, type ServiceClientConstructor } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { busyboxArchive, requiresProgram, requiresRoot, scratch, skip, until } from '@lamella-test/scratch';
import { ociLayout } from '@lamella-test/tree';
import { expect, type TestContext, test } from 'vitest';
import { engine, removeCgroups, runtime } from './engine.js';
import { startContainerd } from './start-containerd.js';

const IMAGE = 'localhost/busybox:latest';

/** As docs/guides/use-under-an-engine.md has it, beside runc; the rest is for this machine. */
const config = (binary: string): string => `
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${IMAGE}"
  # Without CAP_SYS_RESOURCE nobody gets a lower oom_score_adj than the caller has.
  restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".containerd]
  snapshotter = "native"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.lamella]
  runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.lamella.options]
    BinaryName = "${binary}"
`;

/** Calls of the kubelet's, as JSON. */
type Calls = (method: string, request: object) => Promise<Record<string, unknown> & { status?: Record<string, unknown> }>;

function kubelet(socket: string): { readonly call: Calls; close(): void } {
  const definition = loadSync(path.join(import.meta.dirname, '../cri.proto'), { keepCase: true, enums: String, longs: Number, defaults: true });
  const { runtime: cri } = loadPackageDefinition(definition) as unknown as { runtime: { v1: { RuntimeService: ServiceClientConstructor } } };
  const client = new cri.v1.RuntimeService(`unix://${socket}`, credentials.createInsecure());
  return {
    call: (method, request) =>
      new Promise((resolve, reject) => {
        const answer = (error: Error | null, reply: Awaited<ReturnType<Calls>>): void => (error ? reject(error) : resolve(reply));
        client[method]?.call(client, request, { deadline: Date.now() + 60_000 }, answer);
      }),
    close: () => client.close(),
  };
}

test('a pod of a RuntimeClass lives by it, as the kubelet asks containerd for it', async (context: TestContext) => {
  requiresRoot(context);
  for (const program of ['containerd', 'ctr', 'containerd-shim-runc-v2']) requiresProgram(context, program);
  await using at = scratch();
  const containerd = await startContainerd(at, config(runtime()));
  if (typeof containerd === 'string') return skip(context, containerd);
  await using _ended = containerd;
  // The image of the sandbox and of the container: a process that stays.
  const layout = at.join('layout');
  ociLayout(layout, [readFileSync(busyboxArchive())], { name: IMAGE, config: { Cmd: ['sleep', '1000'], Env: ['PATH=/bin'] } });
  spawnSync('tar', ['-cf', at.join('image.tar'), '-C', layout, '.']);
  const ctr = engine('ctr', ['--address', containerd.socket, '--namespace', 'k8s.io']);
  expect(ctr('images', 'import', '--snapshotter', 'native', at.join('image.tar'))).toMatchObject({ status: 0 });

  const { call, close } = kubelet(containerd.socket);
  const logs = at.join('logs');
  mkdirSync(logs);
  writeFileSync(at.join('given'), 'given\n');
  const namespaces = { network: 'NODE', pid: 'CONTAINER', ipc: 'POD' };
  const pod = {
    metadata: { name: 'one', uid: `uid-${process.pid}`, namespace: 'default', attempt: 0 },
    log_directory: logs,
    dns_config: { servers: ['192.0.2.1'] },
    annotations: { 'example.org/why': 'a test' },
    linux: { cgroup_parent: `/kubepods-${process.pid}`, security_context: { namespace_options: namespaces } },
  };
  const sandboxes: string[] = [];
  try {
    await expect(call('RunPodSandbox', { config: pod, runtime_handler: 'nobody' })).rejects.toThrow(/no runtime for "nobody"/);
    const { pod_sandbox_id } = (await call('RunPodSandbox', { config: pod, runtime_handler: 'lamella' })) as { pod_sandbox_id: string };
    sandboxes.push(pod_sandbox_id);
    expect(await call('PodSandboxStatus', { pod_sandbox_id })).toMatchObject({ status: { state: 'SANDBOX_READY', runtime_handler: 'lamella' } });

    const create = async (name: string, script: string, more: object = {}): Promise<{ container_id: string }> => {
      const config = {
        metadata: { name, attempt: 0 },
        image: { image: IMAGE },
        command: ['sh', '-c', script],
        envs: [{ key: 'GREETING', value: 'hello' }],
        log_path: `${name}.log`,
        ...more,
      };
      return (await call('CreateContainer', { pod_sandbox_id, config, sandbox_config: pod })) as { container_id: string };
    };
    const ended = async (id: { container_id: string }): Promise<Record<string, unknown>> => {
      for (;;) {
        const { status = {} } = await call('ContainerStatus', id);
        if (status.state === 'CONTAINER_EXITED') return status;
        await sleep(50);
      }
    };

    const confined = await create('confined', 'id -u; echo $GREETING; cat /given; grep NoNewPrivs /proc/self/status; touch /x; exec sleep 1000', {
      mounts: [{ container_path: '/given', host_path: at.join('given'), readonly: true }],
      linux: {
        resources: { memory_limit_in_bytes: 64 << 20, cpu_shares: 512 },
        security_context: {
          namespace_options: namespaces,
          capabilities: { drop_capabilities: ['ALL'] },
          run_as_user: { value: 1000 },
          run_as_group: { value: 1000 },
          readonly_rootfs: true,
          no_new_privs: true,
          masked_paths: ['/proc/cpuinfo'],
          readonly_paths: ['/proc/sys'],
          seccomp: { profile_type: 'RuntimeDefault' },
        },
      },
    });
    expect(await call('ContainerStatus', confined)).toMatchObject({ status: { state: 'CONTAINER_CREATED' } });
    await call('StartContainer', confined);
    expect(await call('ContainerStatus', confined)).toMatchObject({ status: { state: 'CONTAINER_RUNNING' } });
    const inside = async (script: string): Promise<{ exit_code: number; said: string }> => {
      const { exit_code, stdout, stderr } = (await call('ExecSync', { ...confined, cmd: ['sh', '-c', script], timeout: 20 })) as {
        exit_code: number;
        stdout: Buffer;
        stderr: Buffer;
      };
      return { exit_code, said: `${stdout}${stderr}` };
    };
    expect(await inside('grep -E "^(CapEff|Seccomp):" /proc/self/status; wc -c </proc/cpuinfo; cat /etc/resolv.conf; exit 7')).toEqual({
      exit_code: 7,
      said: 'CapEff:\t0000000000000000\nSeccomp:\t2\n0\nnameserver 192.0.2.1\n',
    });
    await call('UpdateContainerResources', { ...confined, linux: { memory_limit_in_bytes: 128 << 20 } });
    expect(ctr('task', 'ls').stdout).toContain(confined.container_id);
    await call('StopContainer', { ...confined, timeout: 0 });
    expect(await ended(confined)).toMatchObject({ exit_code: 137 });
    const log = readFileSync(path.join(logs, 'confined.log'), 'utf8').replaceAll(/^\S+ (\S+) F /gm, '$1 ');
    // Two pipes have no order between them.
    const of = (stream: string): string[] => log.split('\n').filter((line) => line.startsWith(`${stream} `));
    expect([of('stdout'), of('stderr')]).toEqual([
      ['stdout 1000', 'stdout hello', 'stdout given', 'stdout NoNewPrivs:\t1'],
      ['stderr touch: /x: Read-only file system'],
    ]);

    const short = await create('short', 'exit 5');
    await call('StartContainer', short);
    expect(await ended(short)).toMatchObject({ exit_code: 5 });
    const eats = await create('eats', 'x=a; while true; do x=$x$x; done', { linux: { resources: { memory_limit_in_bytes: 16 << 20 } } });
    await call('StartContainer', eats);
    expect(await ended(eats)).toMatchObject({ exit_code: 137 });
    // The shim tells of the memory by itself, which may be after the end.
    await until(async () => (await ended(eats)).reason === 'OOMKilled');
    const missing = await create('missing', '', { command: ['no-such-command'] });
    await expect(call('StartContainer', missing)).rejects.toThrow(/executable file not found in \$PATH/);
    for (const each of [confined, short, eats, missing]) await call('RemoveContainer', each);
    await call('StopPodSandbox', { pod_sandbox_id });
    expect(await call('PodSandboxStatus', { pod_sandbox_id })).toMatchObject({ status: { state: 'SANDBOX_NOTREADY' } });
    await call('RemovePodSandbox', { pod_sandbox_id: sandboxes.pop() });
    expect(ctr('containers', 'ls', '--quiet').stdout).toBe('');
  } finally {
    for (const pod_sandbox_id of sandboxes) await call('RemovePodSandbox', { pod_sandbox_id });
    close();
    removeCgroups(`kubepods-${process.pid}`);
  }
}, 180_000);
