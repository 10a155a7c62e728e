import {
  bytesOf,
  COMMAND_WORDS,
  callerCondition,
  encodeProgram,
  type Filling,
  type FrontOptions,
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

/** A command that is about to run, and how it is planned with other words. */
interface Recorded {
  /** What fills the holes for this run. */
  readonly filling: Filling;
  /** The front's command of this run. */
  readonly made: FrontCommand;
  /** Plans the front's command with marks in place of what fills the holes. */
  readonly planWith: (marks: Filling) => FrontCommand | Promise<FrontCommand>;
  readonly explainer: readonly [node: string, script: string, word: string];
  readonly front: Pick<FrontOptions, 'stdin' | 'detached'>;
  /** Absolute path of the directory of all containers. */
  readonly containers: string;
}

/**
 * Writes a record of a run: its program with holes, and what it depends on. The launcher starts the next one from it, without Node.
 *
 * The holes are found by planning the same request again with marks in their places. Filled with what this run has, the result must be
 * this run's program to the last byte; otherwise there is no record.
 */
export async function recordFront(recorded: Recorded, options: RecordOptions): Promise<void> {
  const reads = observedReads();
  const refused = reads ? await tryToRecord(recorded, options, reads) : 'nothing was observed';
  if (refused !== undefined) options.onRefused?.(refused);
}

async function tryToRecord(recorded: Recorded, options: RecordOptions, reads: ObservedReads): Promise<string | undefined> {
  const { filling, made, planWith, explainer, front, containers } = recorded;
  const { env } = process;
  const directory = reads.aside(() => recordsDirectory({ XDG_CACHE_HOME: env.XDG_CACHE_HOME, HOME: env.HOME }));
  if (directory === undefined) return 'there is no cache directory: HOME is not set';
  for (const file of [explainer[0], explainer[1], interpreterPath(), ...options.files]) reads.object(file, false);
  const maps = isOwnUserNamespace(made.program[0]) ? mapCommands('PID') : [];
  try {
    const marks = [HOLE_MARKS_WITHOUT_WORDS, HOLE_MARKS, HOLE_MARKS_WITH_SLASH][commandWordsOf(filling.words)] ?? HOLE_MARKS;
    const templates = templatesOf(filling, marks, made, await planWith(marks));
    if (reads.obstacle !== undefined) return reads.obstacle;
    const written = reads.aside(() =>
      writeRecord(directory, {
        package: options.package,
        words: options.words,
        commandWords: commandWordsOf(filling.words),
        stdin: front.stdin,
        detached: front.detached === true,
        debug: options.debug,
        conditions: [callerCondition(), ...reads.conditions],
        explainer,
        maps: maps.map((words) => `${words.join('\t')}\n`).join(''),
        names: filling.name === '' ? ['', ''] : NAME_WORDS,
        containers,
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

/** @throws TemplateError if the templates, filled, are not what was made */
function templatesOf(filling: Filling, marks: Filling, made: FrontCommand, marked: FrontCommand): Templates {
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
