import path from 'node:path';
import {
  bytesOf,
  COMMAND_WORDS,
  callerCondition,
  encodeProgram,
  type Filling,
  fillTemplate,
  HOLE_MARKS,
  HOLE_MARKS_WITH_SLASH,
  HOLE_MARKS_WITHOUT_WORDS,
  interpreterPath,
  isOwnUserNamespace,
  mapCommands,
  type ObservedReads,
  observedReads,
  type Program,
  recordsDirectory,
  type Template,
  TemplateError,
  templateOfProgram,
  templateOfText,
  writeRecord,
} from '@lamella/syscall';
import type { PlanRequest } from '../run/plan/plan-request.js';
import { NAME_WORDS } from '../store/generated-names.js';

/** How a command line may be recorded. */
export interface RecordOptions {
  /** Absolute path of the installed package of the command, without links. */
  readonly package: string;
  /** The words of the command line, without the container's own command. */
  readonly words: readonly string[];
  /** Paths of the files with the code of this program: a record is for them only. */
  readonly files: readonly string[];
  /** Whether the launcher says that it used the record. */
  readonly debug: boolean;
  /** Told why there is no record. */
  readonly onRefused?: (why: string) => void;
}

/** What a front is started with. */
export interface FrontCommand {
  readonly program: Program;
  readonly context: string;
  readonly title: string;
  readonly left: string;
}

type Explainer = readonly [node: string, script: string, word: string];

/** What a record adds to the request of a plan. */
interface Recorded {
  readonly request: PlanRequest;
  /** Makes the front's command from a request, as it was made for this run. */
  readonly present: (request: PlanRequest) => FrontCommand;
  /** The front's command of this run. */
  readonly made: FrontCommand;
  readonly explainer: Explainer;
  readonly stdin: boolean;
}

/**
 * Writes a record of a run: its program with holes, and what it depends on. The launcher starts the next one from it, without Node.
 *
 * The holes are found by planning the same request again with marks in their places. Filled with what this run has, the result must be
 * this run's program to the last byte; otherwise there is no record.
 */
export function recordRun(recorded: Recorded, options: RecordOptions): void {
  const reads = observedReads();
  const refused = reads ? tryToRecord(recorded, options, reads) : 'nothing was observed';
  if (refused !== undefined) options.onRefused?.(refused);
}

function tryToRecord({ request, present, made, explainer, stdin }: Recorded, options: RecordOptions, reads: ObservedReads): string | undefined {
  const { env } = process;
  const directory = reads.aside(() => recordsDirectory({ XDG_CACHE_HOME: env.XDG_CACHE_HOME, HOME: env.HOME }));
  if (directory === undefined) return 'there is no cache directory: HOME is not set';
  for (const file of [explainer[0], explainer[1], interpreterPath(), ...options.files]) reads.object(file, false);
  const maps = isOwnUserNamespace(made.program[0]) ? mapCommands('PID') : [];
  if (reads.obstacle !== undefined) return reads.obstacle;
  const { args = [] } = request.spec;
  const filling: Filling = {
    id: request.fresh?.id ?? '',
    name: request.fresh?.name ?? '',
    created: request.fresh?.created ?? '',
    words: args,
    rows: 0,
    columns: 0,
    ...request.spec.terminal,
  };
  try {
    const templates = templatesOf(filling, request, present, made);
    const written = reads.aside(() =>
      writeRecord(directory, {
        package: options.package,
        words: options.words,
        commandWords: commandWordsOf(args),
        stdin,
        debug: options.debug,
        conditions: [callerCondition(), ...reads.conditions],
        explainer,
        maps: maps.map((words) => `${words.join('\t')}\n`).join(''),
        names: filling.name === '' ? ['', ''] : NAME_WORDS,
        containers: path.join(request.root, 'containers'),
        ...templates,
      }),
    );
    return written ? undefined : `${directory} cannot be written to`;
  } catch (error) {
    if (error instanceof TemplateError) return error.message;
    throw error;
  }
}

function commandWordsOf([first]: readonly string[]): (typeof COMMAND_WORDS)[keyof typeof COMMAND_WORDS] {
  if (first === undefined) return COMMAND_WORDS.NONE;
  return first.includes('/') ? COMMAND_WORDS.PATH : COMMAND_WORDS.NAME;
}

type Templates = Readonly<Record<'program' | 'context' | 'title' | 'left', Template>>;

/** @throws TemplateError */
function templatesOf(filling: Filling, request: PlanRequest, present: Recorded['present'], made: FrontCommand): Templates {
  const marks = [HOLE_MARKS_WITHOUT_WORDS, HOLE_MARKS, HOLE_MARKS_WITH_SLASH][commandWordsOf(filling.words)] ?? HOLE_MARKS;
  const { rows, columns } = marks;
  const spec = { ...request.spec, args: marks.words, ...(request.spec.terminal ? { terminal: { rows, columns } } : {}) };
  const fresh = { id: marks.id, name: filling.name === '' ? undefined : marks.name, created: marks.created };
  const marked = present({ ...request, spec, fresh });
  const templates = {
    program: templateOfProgram(marked.program, marks),
    context: templateOfText(marked.context, marks),
    title: templateOfText(marked.title, marks, true),
    left: templateOfText(marked.left, marks),
  };
  const wanted = { program: encodeProgram(made.program), context: bytesOf(made.context), title: bytesOf(made.title), left: bytesOf(made.left) };
  for (const name of ['program', 'context', 'title', 'left'] as const)
    if (!fillTemplate(templates[name], filling).equals(wanted[name])) throw new TemplateError(`the ${name} depends on more than was marked`);
  return templates;
}
