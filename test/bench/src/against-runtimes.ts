/** The SDK against OCI runtimes, in a separate process: `node against-runtimes.js STORE ROUNDS`. */
import { ImageStore, run } from '@lamella/engine';
import { scratch } from '@lamella-test/scratch';
import { medians, settle } from './measure.js';
import { overlayAndRuntime } from './peers.js';
import type { Row, Skipped } from './row.js';

const [root = '', rounds = '1'] = process.argv.slice(2);
const [layer] = (await new ImageStore(root).resolve('busybox')).layers;
const ours = (): Promise<unknown> => run({ root, image: 'busybox', args: ['/bin/true'] }, { stdio: ['ignore', 'ignore', 'ignore'] });
const rows: (Row | Skipped)[] = [];
await using at = scratch();
for (const runtime of ['crun', 'runc']) {
  const peer = await overlayAndRuntime(at, runtime, layer?.path ?? '');
  if (typeof peer === 'string') {
    rows.push({ what: `SDK \`run(true)\` against ${runtime}`, reason: peer });
    continue;
  }
  const pair = await medians({ ours, peer: peer.once }, { rounds: Number(rounds), warmup: 3, before: settle });
  const against = `overlay mount + \`${runtime} run\` + umount, from Node`;
  rows.push({ what: 'SDK `run(true)`, warm Node', ours: pair.ours, against, theirs: pair.peer, target: { timesFaster: 5 }, unit: 'ms' });
}
process.stdout.write(JSON.stringify(rows));
