#!/usr/bin/env node
/** The tutorial's experiment, narrated, on the real thing: a container comes and goes without a trace. */
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createContainer, defaultRoot, ImageStore } from '../packages/engine/dist/index.js';
import { run as runProgram } from '../packages/syscall/dist/index.js';
import { makeBusyboxImage, makeShellImage } from './busybox-image.mjs';

const root = path.join(import.meta.dirname, '..');
// console.log() takes no notice.
process.stdout.on('error', ({ code }) => {
  if (code !== 'EPIPE') process.stderr.write(`lamella: cannot write to stdout: ${code}\n`);
  process.exit(code === 'EPIPE' ? 141 : 1);
});
const color = process.stdout.isTTY && !process.env.NO_COLOR;
const paint = (code, text) => (color ? `\x1b[${code}m${text}\x1b[0m` : text);
const say = (text = '') => console.log(text);
const chapter = (text) => say(`\n${paint('1', text)}`);
const show = (command, output) =>
  say(
    `  ${paint('36', `$ ${command}`)}\n${output
      .split('\n')
      .map((line) => `    ${line}`)
      .join('\n')}`,
  );
let failed = false;
const check = (claim, holds) => {
  if (!holds) failed = true;
  say(`  ${holds ? paint('32', '✓') : paint('31', '✗')} ${claim}`);
};

let archive = path.join(root, '.lamella/busybox.tar');
let name = 'busybox';
try {
  await makeBusyboxImage(archive);
} catch (error) {
  console.error(`lamella: ${error.message}\n  Until then the image is this machine's own /bin/sh, under the name 'sh'.`);
  name = 'sh';
  archive = path.join(root, '.lamella/sh.tar');
  makeShellImage(archive);
}
const store = new ImageStore(defaultRoot());
const { digest } = await store.import(archive, name);

const here = path.join(root, '.lamella/tour');
await runProgram([{ op: 'rmtree', dirfd: -100, pathname: here }]);
mkdirSync(here, { recursive: true });
copyFileSync(archive, path.join(here, `${name}.tar`));
const list = () => readdirSync(here).sort().join('  ');
const mounts = () =>
  readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => line.includes(`${here}/`)).length;

say(`${paint('1', 'A container, from nothing to nothing.')} Everything below really happens, in ${here}`);

chapter('1. An image is a tar of a root filesystem.');
show('ls', list());

chapter('2. It is unpacked, joined with an empty writable layer by overlayfs, and a shell starts in it.');
// Words of the shell's own only: an image of a bare shell has no programs.
const script = `while read -r key uid _; do [ "$key" = Uid: ] && break; done < /proc/self/status; read -r host < /proc/sys/kernel/hostname
echo "hello from pid $$ as uid $uid on $host"; echo "written inside" > /hello.txt; echo ready; read line`;
const container = await createContainer(
  { image: name, workspace: here, hostname: 'tour', args: ['/bin/sh', '-c', script] },
  { stdio: ['pipe', 'pipe', 'inherit'] },
);
let output = '';
container.stdout.on('data', (chunk) => {
  output += chunk;
});
const ended = container.result.then(
  () => true,
  (error) => {
    console.error(`lamella: ${error.message}${error.hint ? `\n  ${error.hint}` : ''}`);
    return true;
  },
);
while (!output.includes('ready') && !(await Promise.race([ended, sleep(5)])));
if (!output.includes('ready')) process.exit(1);
show('sh -c \'echo hello …; echo "written inside" > /hello.txt\'', output.replace('ready\n', '').trimEnd());
const before = digestOf(path.join(here, name));

chapter('3. While it runs, the file is in the merged view and in the writable layer, not in the image.');
const merged = await container.merged();
show('ls', list());
if (!merged.startsWith(here)) say(`  ${paint('2', `(without root the merged view is the container's own; the host sees it at ${merged})`)}`);
show('cat merged/hello.txt', readFileSync(path.join(merged, 'hello.txt'), 'utf8').trimEnd());
show('ls upper', readdirSync(path.join(here, 'upper')).join('  '));
check('merged/hello.txt is there', existsSync(path.join(merged, 'hello.txt')));
check('upper/hello.txt is there: what the command changed, and nothing else', readdirSync(path.join(here, 'upper')).join() === 'hello.txt');
check(`${name}/hello.txt is not: the image is never written to`, !existsSync(path.join(here, name, 'hello.txt')));

chapter('4. The shell exits.');
container.stdin.end('\n');
const result = await container.result;
await container[Symbol.asyncDispose]();
show('ls', list());
check(`it ended with status ${result.exitCode}`, result.exitCode === 0);
check(
  'upper, work and merged are gone',
  ['upper', 'work', 'merged'].every((name) => !existsSync(path.join(here, name))),
);
check('no mount is left', mounts() === 0);
check(`the image's tree is what it was, to the byte (sha256 ${before.slice(0, 12)}…)`, digestOf(path.join(here, name)) === before);
check(`so is the image of the store (${digest.slice(0, 19)}…)`, (await store.resolve(name)).digest === digest);

await runProgram([{ op: 'rmtree', dirfd: -100, pathname: here }]);
if (failed) {
  say(`\n${paint('31', 'Something above is not as it should be.')} See what this machine lacks: ./lamella doctor`);
  process.exit(1);
}
say(`
${paint('1', 'Try it yourself:')}
  ./lamella run -it ${name.padEnd(7)} sh                 a shell in a container
  ./lamella run --explain ${name} true         the system calls of a run, before they are made
  ./lamella run --keep ${name} touch /new      keep what a command changed, and say where
  ./lamella import rootfs.tar.gz mine          an image of your own
  ./lamella --help                             everything else
  npm test                                     every test
`);

/** Of all that a tree is: names, modes, link targets, contents. */
function digestOf(tree) {
  const hash = createHash('sha256');
  const visit = (directory) => {
    for (const name of readdirSync(directory).sort()) {
      const file = path.join(directory, name);
      const stat = lstatSync(file);
      hash.update(`${path.relative(tree, file)}\0${stat.mode}\0${stat.uid}\0${stat.size}\0${stat.mtimeMs}\0`);
      if (stat.isSymbolicLink()) hash.update(readlinkSync(file));
      else if (stat.isDirectory()) visit(file);
      else if (stat.isFile()) hash.update(readFileSync(file));
    }
  };
  visit(tree);
  return hash.digest('hex');
}
