import { existsSync, lstatSync, readdirSync, readlinkSync, type Stats, writeFileSync } from 'node:fs';
import { unlink } from 'node:fs/promises';
import path from 'node:path';
import { heldLocks, monitorOf } from '@lamella/cleanup';
import { kindOf } from '@lamella/syscall';
import { logProblems } from '../lifecycle/logs.js';
import type { ContainerConfig } from '../model/container-config.js';
import { CHECK_OPTIONS, read } from '../options/option-shapes.js';
import { configProblem, layersOf, readConfig } from '../store/config-file.js';
import { forgetDeadNames } from '../store/names.js';
import { readOwn } from '../store/read-store-file.js';

/** What is damaged of the containers of a store. */
export interface ContainerProblem {
  readonly kind: 'container' | 'name' | 'checkpoint';
  /** The file or directory, absolute. */
  readonly what: string;
  readonly problem: string;
  readonly repaired?: string;
  readonly hint?: string;
}

/**
 * Looks at the containers of a store that are not running: their configs, records, logs, names and checkpoints. With `repair` names that
 * lead nowhere go. Nothing that a container wrote is touched.
 *
 * @param root absolute path of the store
 */
export async function checkContainers(root: string, options: { readonly repair?: boolean } = {}): Promise<readonly ContainerProblem[]> {
  const { repair = false } = read('checkContainers(root, options)', options, CHECK_OPTIONS);
  const containers = path.join(root, 'containers');
  const problems: ContainerProblem[] = [];
  if (!lstatSync(containers, { throwIfNoEntry: false })?.isDirectory()) return problems;
  const held = await heldLocks();
  for (const id of namesIn(containers)) {
    if (id.startsWith('.')) continue;
    const directory = path.join(containers, id);
    const found = lstatSync(directory, { throwIfNoEntry: false });
    if (!found) continue;
    if (!found.isDirectory())
      problems.push({
        kind: 'container',
        what: directory,
        problem: `it is ${kindOf(found)}, not the directory of a container`,
        hint: `Remove it: rm ${directory}`,
      });
    // A running container changes its files all the time, and one that is not kept is for the sweep.
    else if (monitorOf({ containers, id }, held) === undefined) {
      const own = await checkOne(root, directory, repair);
      // One that was removed meanwhile lacked this and that.
      if (existsSync(directory)) problems.push(...own);
    }
  }
  problems.push(...(await checkNames(containers, repair)), ...checkStates(root));
  return problems;
}

async function checkOne(root: string, directory: string, repair: boolean): Promise<ContainerProblem[]> {
  const id = path.basename(directory);
  const keep = `What it has written is in ${path.join(directory, 'upper')}. Keep that (lamella export, or a copy), then remove the container: lamella rm ${id}`;
  const problem = (name: string, text: string, hint: string = keep): ContainerProblem => ({
    kind: 'container',
    what: path.join(directory, name),
    problem: text,
    hint,
  });
  const problems: ContainerProblem[] = [];
  const kept = lstatSync(path.join(directory, 'kept'), { throwIfNoEntry: false });
  for (const name of ['kept', 'lock', 'claims', 'config.json', 'layers', 'state', 'exit', 'oom', 'sources', 'seen-places'])
    problems.push(...irregular(path.join(directory, name)).map((text) => problem(name, text)));
  if (problems.length) return problems;
  const wrong = configProblem(directory);
  const config = wrong === undefined ? await readConfig(directory) : undefined;
  if (!kept) return hasRecord(directory, config) ? [lostMark(directory, repair)] : [];
  if (wrong !== undefined || !config) return [...problems, problem('config.json', wrong ?? 'it cannot be read')];
  if (config.id !== id) problems.push(problem('config.json', `it is that of another container, ${config.id}`));
  if (!lstatSync(path.join(directory, 'lock'), { throwIfNoEntry: false })) problems.push(problem('lock', 'it is missing'));
  const layers = readOwn(path.join(directory, 'layers'));
  if (layers !== layersOf(config)) problems.push(problem('layers', layers === undefined ? 'it is missing' : 'it does not say what the container stands on'));
  const upper = path.join(config.spec.workspace ?? directory, 'upper');
  const found = lstatSync(upper, { throwIfNoEntry: false });
  if (!found?.isDirectory())
    problems.push({
      kind: 'container',
      what: upper,
      problem: found ? `it is ${kindOf(found)}, not a directory` : 'what the container had written is gone',
      hint: `Nothing can bring it back: lamella rm ${id}`,
    });
  for (const tree of config.lowers.diffIDs.filter((each) => !hasTree(root, each)))
    problems.push(
      problem('layers', `it stands on ${tree}, which is not there`, `Bring its image in again (${config.image}), or see: lamella system check --repair`),
    );
  for (const name of ['state', 'exit', 'sources', 'seen-places']) problems.push(...unparsed(path.join(directory, name)).map((text) => problem(name, text)));
  for (const name of namesIn(directory).filter((each) => /^log(?:\.\d)?$/.test(each)))
    problems.push(...logProblems(path.join(directory, name)).map((text) => problem(name, text, 'The rest of it is shown by lamella logs.')));
  return problems;
}

/** Whether a container that is not marked as kept was meant to stay, and nothing of it was removed yet. */
function hasRecord(directory: string, config: ContainerConfig | undefined): boolean {
  return config !== undefined && readOwn(path.join(directory, 'layers')) === layersOf(config);
}

function lostMark(directory: string, repair: boolean): ContainerProblem {
  const what = path.join(directory, 'kept');
  if (repair) writeFileSync(what, '', { flag: 'wx', mode: 0o600 });
  return {
    kind: 'container',
    what,
    problem: 'it is missing: the next command would remove the container',
    ...(repair ? { repaired: 'made anew' } : { hint: 'Repair it at once: lamella system check --repair' }),
  };
}

/** Layers are by diffID; what was made for a stack by its chainID. */
function hasTree(root: string, id: string): boolean {
  const name = id.slice('sha256:'.length);
  return ['layers', 'chains', 'rebased'].some((each) => lstatSync(path.join(root, each, name, 'fs'), { throwIfNoEntry: false })?.isDirectory() ?? false);
}

function irregular(file: string): string[] {
  const stat: Stats | undefined = lstatSync(file, { throwIfNoEntry: false });
  return stat && !stat.isFile() ? [`it is ${kindOf(stat)}, not a regular file`] : [];
}

function unparsed(file: string): string[] {
  const text = readOwn(file);
  if (text === undefined) return [];
  try {
    JSON.parse(text);
    return [];
  } catch (error) {
    if (error instanceof SyntaxError) return ['it is damaged: it is no JSON'];
    throw error;
  }
}

/** Names of containers, and ranges of ids: links to directories of containers. */
async function checkNames(containers: string, repair: boolean): Promise<ContainerProblem[]> {
  const directory = path.join(containers, '.names');
  const problems: ContainerProblem[] = [];
  for (const name of namesIn(directory)) {
    if (name === '.lock') continue;
    const link = path.join(directory, name);
    const stat = lstatSync(link, { throwIfNoEntry: false });
    if (!stat) continue;
    const target = stat.isSymbolicLink() ? readlinkSync(link) : undefined;
    const leads =
      target !== undefined && path.dirname(target) === '..' && (lstatSync(path.join(directory, target), { throwIfNoEntry: false })?.isDirectory() ?? false);
    if (leads) continue;
    if (repair && target !== undefined) await unlink(link);
    problems.push({
      kind: 'name',
      what: link,
      problem: target === undefined ? `it is ${kindOf(stat)}, not the name of a container` : `it leads to ${target}, and that is no container`,
      ...(repair && target !== undefined ? { repaired: 'removed' } : { hint: `Remove it: rm ${link}` }),
    });
  }
  if (repair) await forgetDeadNames(containers);
  return problems;
}

/** Checkpoints: what a container stands on, and can go back to. */
function checkStates(root: string): ContainerProblem[] {
  const frozen = path.join(root, 'frozen');
  const problems: ContainerProblem[] = [];
  const has = (id: string): boolean => lstatSync(path.join(frozen, id), { throwIfNoEntry: false })?.isDirectory() ?? false;
  const containers = path.join(root, 'containers');
  for (const id of namesIn(containers)) {
    if (id.startsWith('.')) continue;
    const link = path.join(containers, id, 'frozen');
    const stands = linkOf(link);
    if (stands !== undefined && !has(stands))
      problems.push({
        kind: 'checkpoint',
        what: link,
        problem: `the container stands on the checkpoint ${stands}, which is gone`,
        hint: `What it has written since is in ${path.join(containers, id, 'upper')}.`,
      });
    for (const each of namesIn(path.join(containers, id, 'history')))
      if (!has(each))
        problems.push({
          kind: 'checkpoint',
          what: path.join(containers, id, 'history', each),
          problem: 'this checkpoint is gone',
          hint: 'The container itself can be used as before.',
        });
  }
  for (const id of namesIn(frozen)) {
    if (id.startsWith('.')) continue;
    const stat = lstatSync(path.join(frozen, id), { throwIfNoEntry: false });
    if (stat && !stat.isDirectory()) problems.push({ kind: 'checkpoint', what: path.join(frozen, id), problem: `it is ${kindOf(stat)}, not a checkpoint` });
    const parent = linkOf(path.join(frozen, id, 'parent'));
    if (parent !== undefined && !has(parent))
      problems.push({ kind: 'checkpoint', what: path.join(frozen, id, 'parent'), problem: `it stands on the checkpoint ${parent}, which is gone` });
    problems.push(
      ...[...irregular(path.join(frozen, id, 'about')), ...unparsed(path.join(frozen, id, 'about'))].map(
        (text): ContainerProblem => ({ kind: 'checkpoint', what: path.join(frozen, id, 'about'), problem: text, hint: 'Only its time and message are lost.' }),
      ),
    );
  }
  return problems;
}

function linkOf(file: string): string | undefined {
  return lstatSync(file, { throwIfNoEntry: false })?.isSymbolicLink() ? path.basename(readlinkSync(file)) : undefined;
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return [];
    throw error;
  }
}
