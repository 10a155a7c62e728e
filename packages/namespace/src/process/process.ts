import { constants } from 'node:os';
import type { Program, take } from '@lamella/syscall';
import { PROCESS_OPTIONS, type ProcessOptions } from '../model/process-options.js';
import type { StreamingOf } from '../model/process-result.js';
import { read } from '../model/spec-shapes.js';
import { StdioPlan } from '../stdio/streams.js';
import { type ContainerProcess, watch } from './running-process.js';
import { startProgram } from './start-program.js';

/**
 * Runs a program that {@link enter} (and the engine around it) made.
 *
 * @param args the command, for the result and for errors
 * @param onData told what `read_file` ops of the program read
 * @throws NamespaceError `OPTION_INVALID`; (by `result`) NamespaceError `COMMAND_NOT_FOUND`, `COMMAND_NOT_EXECUTABLE`, and others
 * that explain a failed call; SyscallError; CommandError
 */
export function launch<const O extends ProcessOptions>(
  program: Program,
  args: readonly string[],
  given: O = {} as O,
  onData?: (data: Buffer) => void,
): ContainerProcess<StreamingOf<O>> {
  const began = performance.now();
  const options = read('launch(program, args, options)', given, PROCESS_OPTIONS as unknown as take.Check<O>);
  const plan = new StdioPlan(options);
  return watch<StreamingOf<O>>(startProgram(program, plan.native, onData, options.onStopped), args, plan, began);
}

/** A process that waits, all but executed (see {@link ProcessSpec.hold}); its stdio are pipes. */
export interface HeldProcess {
  /** Continues it, once, with the {@link lastOps} of a program. @throws NamespaceError `OPTION_INVALID` */
  go<const O extends ProcessOptions>(program: Program, args: readonly string[], options?: O): ContainerProcess<StreamingOf<O>>;
  /** End it unused. Resolves when all is released. */
  abandon(): Promise<void>;
  /** Whether this process, with nothing else to do, waits for it. At first it does. */
  hold(waits: boolean): void;
  /** Resolves when it has ended, whyever. */
  readonly lost: Promise<void>;
}

/** Runs a program that waits before its last part. */
export function launchHeld(program: Program, onData?: (data: Buffer) => void): HeldProcess {
  let onStopped: ProcessOptions['onStopped'];
  const begun = startProgram(program, ['pipe', 'pipe', 'pipe'], onData, (signal) => onStopped?.(signal));
  const { running } = begun;
  const over = (): void => undefined;
  // The caller of `go` has its result, and its failure.
  const ended = running.result.then(over, over);
  return {
    lost: ended,
    hold: (waits) => running.hold(waits),
    go<const O extends ProcessOptions>(rest: Program, args: readonly string[], given: O = {} as O): ContainerProcess<StreamingOf<O>> {
      const began = performance.now();
      const options = read('go(program, args, options)', given, PROCESS_OPTIONS as unknown as take.Check<O>);
      const plan = new StdioPlan(options, { held: true });
      onStopped = options.onStopped;
      running.hold(true);
      running.control({ op: 'go', program: rest });
      return watch<StreamingOf<O>>(begun, args, plan, began);
    },
    async abandon() {
      running.hold(true);
      running.control({ op: 'stop', signo: constants.signals.SIGKILL });
      await ended;
      // Nobody read them, and a stream that is not read stays open after its end.
      for (const stream of [running.stdin, running.stdout, running.stderr]) stream?.destroy();
    },
  };
}
