/**
 * Runs on the second kernel, again and again: first it looks at what the last power cut left, then it works
 * on the store until the next. It prints to the console, which the host sees at once.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { Containers, ImageStore, run, sweep } from '@lamella/engine';
import { busyboxArchive } from '@lamella-test/scratch';
import { tarArchive } from '@lamella-test/tree';

const root = '/mnt/store-power';
const store = new ImageStore(root);
const containers = new Containers(root);
/** A directory of the machine that changes are applied to. */
const project = '/mnt/project-power';

async function recover(): Promise<void> {
  const before = await containers.list();
  // Nothing lives that ran when the power went.
  for (const { id, status, reason } of before) {
    if (status !== 'created' && status !== 'exited' && status !== 'dead') throw new Error(`${id} is ${status}`);
    if (status === 'dead' && reason !== 'reboot') throw new Error(`${id} is dead of ${reason}`);
  }
  const { failed } = await sweep(root);
  if (failed.length) throw failed[0];
  for (const { id } of await containers.list()) {
    const container = await containers.get(id);
    for await (const { content } of container.logs()) if (!/^line \d+\n$/.test(content.toString())) throw new Error(`the log of ${id} has '${content}'`);
    await container.start();
    await container.stop({ timeout: 0 });
    await container.remove();
  }
  const { problems } = await store.check({ repair: true });
  await store.sweep();
  await store.prune();
  for (const { reference } of await store.list()) {
    const name = `${reference.domain}/${reference.path}:${reference.tag}`;
    if (reference.path.endsWith('busybox')) continue;
    const { stdout } = await run({ root, image: name, args: ['/file'], entrypoint: [], volumes: [] }).catch((error: { code?: string }) => ({
      stdout: error.code,
    }));
    // It exists, but it cannot be executed.
    if (stdout !== 'COMMAND_NOT_EXECUTABLE') throw new Error(`${name}: ${stdout}`);
    await store.remove(name);
  }
  // An apply is done to both files, or to none.
  const [a, b] = ['a', 'b'].map((name) => (existsSync(`${project}/${name}`) ? readFileSync(`${project}/${name}`, 'utf8') : ''));
  if (a !== b) throw new Error(`half an apply: '${a}' and '${b}'`);
  // The power may have gone before the first container.
  const left = existsSync(`${root}/containers`) ? readdirSync(`${root}/containers`).filter((name) => !name.startsWith('.')) : [];
  if (left.length) throw new Error(`containers are left: ${left.join()}`);
  if (!(await store.list()).some(({ reference }) => reference.path.endsWith('busybox'))) await store.import(busyboxArchive(), 'busybox');
  const { stdout } = await run({ root, image: 'busybox', args: ['echo', 'runs'] });
  if (stdout !== 'runs') throw new Error(`it says ${stdout}`);
  console.log(`RECOVERED ${JSON.stringify({ containers: before.length, problems: problems.length })}`);
}

async function work(): Promise<never> {
  mkdirSync(project, { recursive: true });
  for (let i = 0; ; i++) {
    const archive = tarArchive(Array.from({ length: 30 }, (_, n) => ({ name: n ? `file-${n}` : 'file', data: `${i} ${n} `.repeat(2000) })));
    await store.import(Readable.from([archive]), `made-${i % 3}`);
    const { container } = await containers.run({
      image: 'busybox',
      args: ['sh', '-c', 'i=0; while [ $i -lt 200 ]; do echo "line $i"; i=$((i+1)); done; echo x > /new'],
      name: `life-${i}`,
      logs: { maxSize: 2000, maxFiles: 3 },
    });
    await container.wait();
    const branch = await containers.create({ image: 'busybox', args: ['true'], volumes: [{ source: project, destination: '/p', overlay: true }] });
    await (await branch.run({ args: ['sh', '-c', `echo ${i} > /p/a; echo ${i} > /p/b; echo x > /x`] })).result;
    await branch.checkpoint();
    const [fork] = await branch.fork();
    await fork?.apply();
    await branch.rollback(null);
    for (const each of [branch, fork]) await each?.remove();
    if (i % 2) await container.remove();
    if (i % 3 === 2) await store.remove('made-1');
  }
}

try {
  if (existsSync(root)) await recover();
  else await store.import(busyboxArchive(), 'busybox');
  console.log('WORKING');
  await work();
} catch (error) {
  console.log(`FAILED ${(error as Error).stack}`);
}
