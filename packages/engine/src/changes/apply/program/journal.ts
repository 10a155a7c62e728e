import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { ignoreMissing } from '@lamella/syscall';
import type { Followed } from '../../../filesystem/sources/follow-replaced.js';
import { EngineError } from '../../../model/engine-error.js';
import type { Source } from '../../../model/source.js';
import type { Fingerprint } from '../inspect/fingerprint.js';
import type { Known } from '../inspect/known-objects.js';
import type { Names } from '../inspect/names-by-path.js';
import type { Staged, Step } from './steps.js';

/** What is done to one directory of the host. Paths are absolute. */
export interface Part {
  readonly source: string;
  /** What the source is: an undo of a later day expects the same. */
  readonly given?: Source;
  /** Holds the new objects (`new/N`) and the old ones (`old/N`), on the mount that the source is on. */
  readonly stage: string;
  /**
   * Where the old objects are kept after the apply, and what is in there. Nothing when the stage itself is in the store: then they
   * stay where they are.
   */
  readonly kept?: { readonly directory: string; readonly objects: readonly Staged[] };
  readonly steps: readonly Step[];
  /** The new objects as they were in the stage, by their `to`. */
  readonly made: Names<Fingerprint>;
  /** Directories that targets are in, and those above: what they were when the steps began. */
  readonly places: Names<Fingerprint>;
  /** Those of them that may be others than the container saw: what is found there proves nothing later. */
  readonly doubtful: readonly string[];
  /** Those whose permissions, owner and attributes were what the container saw. */
  readonly clean: readonly string[];
}

/** A directory in the store that holds what was moved away from a source. */
export interface Kept {
  readonly source: string;
  readonly directory: string;
}

/**
 * An apply, as it is written down before anything of the host is touched.
 *
 * - `begun`: the host is being changed, or was when everything stopped: it is to be taken back;
 * - `done`: it can be taken back;
 * - `undone`: it was taken back, and what that moved away is kept;
 * - `forgotten`: other applies to all of its sources came after it.
 */
export interface Journal {
  readonly version: 3;
  /** Of this apply alone. */
  readonly token: string;
  /** Of the container. */
  readonly id: string;
  /** ISO 8601. */
  readonly created: string;
  readonly state: 'begun' | 'done' | 'undone' | 'forgotten';
  /** Nothing where it cannot be taken back any more. */
  readonly parts: readonly Part[];
  /** What was moved away and may be a user's work; each until the next apply to the same source. */
  readonly kept: readonly Kept[];
  /** Sources whose part of this apply cannot be taken back any more: other applies to them came after it. */
  readonly forgotten?: readonly string[];
  /** The one before it, for as long as this one is `begun`: it can be taken back again when this one failed. */
  readonly before?: Omit<Journal, 'before'>;
  /** What all applies of the container, and their taking back, left. */
  readonly known: Known;
}

/** A stage in a source. It is reached from the source's descriptor by its name there, so through no link. */
export interface ForeignStage extends Pick<Part, 'source' | 'given'> {
  readonly name: string;
}

/** Returns the stages of parts that are not in the store. */
export const foreignStages = (parts: readonly Pick<Part, 'source' | 'given' | 'stage' | 'kept'>[]): readonly ForeignStage[] =>
  parts.flatMap(({ source, given, stage, kept }) => (kept ? [{ source, ...(given ? { given } : {}), name: path.basename(stage) }] : []));

/** What is under way in this moment: written before anything is made, and gone when nothing is left of it. */
export interface Mark {
  readonly token: string;
  /** The process that wrote it. When it was killed its interpreter may go on for a moment. */
  readonly pid?: number;
  /** Directories that are ours alone, in sources: they are to be removed. */
  readonly stages: readonly ForeignStage[];
  /** An undo: `staging` changed nothing of the host yet, `begun` is to be finished. */
  readonly undo?: 'staging' | 'begun';
  readonly force?: boolean;
  /** Sources of containers that it replaces with other objects: these are recorded before the mark goes. */
  readonly follows?: readonly Followed[];
  /** What the old objects are that an undo gives back as copies, by their `to`, for each stage: they are known again after a crash. */
  readonly copied?: readonly { readonly stage: string; readonly objects: Names<Fingerprint> }[];
}

/**
 * Where applies are in a store. `applied/ID/` has, until the next apply to the same directory, `lock`, `journal` and what
 * was replaced. `applying/ID` is the mark of what is under way. With the journal of the same token in the state `begun` the apply is to be
 * taken back after a crash; with any other journal the host was not touched, or the apply is done, and only stages are left.
 */
export const appliedOf = (root: string, id: string): string => path.join(root, 'applied', id);
export const journalOf = (root: string, id: string): string => path.join(appliedOf(root, id), 'journal');
export const applyLockOf = (root: string, id: string): string => path.join(appliedOf(root, id), 'lock');
export const applyingOf = (root: string, id: string): string => path.join(root, 'applying', id);

/** The directories that an apply needs in a store. */
export const appliedMade = (root: string, id: string): readonly string[] => [appliedOf(root, id), path.dirname(applyingOf(root, id))];

/** The directories of an apply in the store that a journal names. */
const directoriesOf = ({ parts, kept, before }: Journal): readonly string[] => [
  ...parts.flatMap((part) => [part.stage, ...(part.kept ? [part.kept.directory] : [])]),
  ...kept.map(({ directory }) => directory),
  ...(before ? directoriesOf(before) : []),
];

/** Directories of applies in the store that nothing needs any more. */
export function strays(root: string, id: string, journal: Journal | undefined): readonly string[] {
  const needed = new Set(journal ? directoriesOf(journal) : []);
  return entries(appliedOf(root, id))
    .filter((name) => name.startsWith('stage-'))
    .map((name) => path.join(appliedOf(root, id), name))
    .filter((directory) => !needed.has(directory));
}

/** Ids of applies that are under way, or were. At once: every command pays for it, and mostly finds nothing. */
export function underWay(root: string): readonly string[] {
  return entries(path.join(root, 'applying'));
}

/** Ids of containers that were applied. */
export function applied(root: string): readonly string[] {
  return entries(path.join(root, 'applied'));
}

function entries(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    ignoreMissing(error as NodeJS.ErrnoException);
    return [];
  }
}

/**
 * Returns the journal of the last apply, or undefined where there is none.
 *
 * @throws EngineError `APPLY_INCOMPLETE` where it cannot be read: it may name originals of the host, so that nothing beside it may be removed
 */
export async function readJournal(root: string, id: string): Promise<Journal | undefined> {
  const text = await readFile(journalOf(root, id), 'utf8').catch(ignoreMissing);
  if (text === undefined) return undefined;
  const found = parse<Partial<Journal> | null>(text);
  if (found?.version !== VERSION)
    throw new EngineError({
      code: 'APPLY_INCOMPLETE',
      message: `the journal of the applies of the container ${id} cannot be read: ${found?.version === undefined ? 'it is damaged' : 'another version of Lamella wrote it'}`,
      hint: `What applies replaced is in ${appliedOf(root, id)}. Copy what you need from there, then remove that directory.`,
    });
  return found as Journal;
}

const VERSION: Journal['version'] = 3;

/** Returns the mark of what is under way; one that is torn is of something that had not begun. */
export async function readMark(root: string, id: string): Promise<Mark | undefined> {
  const text = await readFile(applyingOf(root, id), 'utf8').catch(ignoreMissing);
  return text === undefined ? undefined : (parse<Mark>(text) ?? { token: '', stages: [] });
}

/** Whether the host is being changed, or was when everything stopped. A journal that is `begun` is enough, whatever is left of the mark. */
export function isBegun(journal: Journal | undefined, mark: Mark | undefined): boolean {
  return journal?.state === 'begun' || (journal?.state === 'done' && journal.token === mark?.token && mark.undo === 'begun');
}

function parse<Content>(text: string | undefined): Content | undefined {
  try {
    return text === undefined ? undefined : (JSON.parse(text) as Content);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
