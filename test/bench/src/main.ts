/**
 * Run the benchmarks and print them as a table.
 *
 *   pnpm bench [--smoke] [start|shell|many|costs|forks|branches|oci|unpack|load]
 *
 * `--smoke` takes small inputs and few rounds: it shows that they run, not how fast.
 */
import { cpus, release } from 'node:os';
import { scratch } from '@lamella-test/scratch';
import { branches } from './branches.js';
import { costs } from './costs.js';
import { forks } from './forks.js';
import { fromAShell } from './from-a-shell.js';
import { loadAnImage } from './load-an-image.js';
import { manyContainers } from './many-containers.js';
import { ociRuntime } from './oci-runtime.js';
import { format, type Row, type Skipped } from './row.js';
import { startAContainer } from './start-a-container.js';
import { unpackALayer } from './unpack-a-layer.js';

const args = process.argv.slice(2).filter((word) => word !== '--');
const smoke = args.includes('--smoke');
const [only] = args.filter((word) => !word.startsWith('--'));
const rows: (Row | Skipped)[] = [];

if (process.geteuid?.() !== 0) {
  console.log('skipped: the benchmarks need root, for the peers do');
} else {
  if (!only || only === 'start') {
    await using disk = scratch();
    rows.push(...(await startAContainer(disk, smoke ? 2 : 15)));
  }
  if (!only || only === 'shell') {
    await using disk = scratch();
    rows.push(...(await fromAShell(disk, smoke ? 1 : 10)));
  }
  if (!only || only === 'many') {
    await using disk = scratch();
    rows.push(...(await manyContainers(disk, smoke ? 20 : 1000)));
  }
  if (!only || only === 'costs') {
    await using memory = scratch('tmpfs');
    rows.push(...(await costs(memory, smoke ? 1 : 30)));
  }
  if (!only || only === 'forks') {
    await using memory = scratch('tmpfs');
    rows.push(...(await forks(memory, smoke ? 5 : 100)));
  }
  if (!only || only === 'branches') {
    await using memory = scratch('tmpfs');
    rows.push(...(await branches(memory, { smoke, rounds: smoke ? 1 : 5 })));
  }
  if (!only || only === 'oci') {
    await using memory = scratch('tmpfs');
    rows.push(...(await ociRuntime(memory, smoke ? 1 : 15)));
  }
  if (!only || only === 'unpack') {
    await using memory = scratch('tmpfs');
    rows.push(...(await unpackALayer(memory, { smoke, rounds: smoke ? 1 : 5 })));
  }
  if (!only || only === 'load') {
    {
      await using memory = scratch('tmpfs');
      rows.push(...(await loadAnImage(memory, { smoke, rounds: smoke ? 1 : 3, where: 'tmpfs' })));
    }
    await using disk = scratch();
    if (!smoke) rows.push(...(await loadAnImage(disk, { smoke, rounds: 3, where: 'disk' })));
  }
  console.log(
    `${cpus().length} × ${cpus()[0]?.model.trim()}, Linux ${release()}, Node ${process.versions.node}, ${new Date().toISOString().slice(0, 10)}${smoke ? ', smoke run' : ''}\n`,
  );
  console.log('| what | ours | against | theirs | ratio | promised | kept |\n|---|---|---|---|---|---|---|');
  for (const row of rows) console.log('reason' in row ? `| ${row.what} | | | | | not measured: ${row.reason} | |` : format(row));
}
