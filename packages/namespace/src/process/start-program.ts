import { type Op, type Program, type Reply, type Running, type StdioOption, start } from '@lamella/syscall';
import { explainFailure, isDenied } from './explain-failure.js';

/** A program under way, and what was seen of it that explains a failure. */
export interface StartedProgram {
  readonly running: Running;
  /** Says what a failed call means. */
  readonly explain: (error: unknown, args: readonly string[]) => unknown;
  readonly detached: Promise<void>;
}

/** Starts a program, and watches its replies for what explains a failure. */
export function startProgram(
  program: Program,
  stdio: readonly [StdioOption, StdioOption, StdioOption],
  onData: ((data: Buffer) => void) | undefined,
  onStopped?: (signal: number) => void,
): StartedProgram {
  let denied = false;
  const detached = Promise.withResolvers<void>();
  const running = start(program, {
    stdio,
    spawner: true,
    onReply: (reply: Reply, op?: Op) => {
      if (reply.kind === 'data') onData?.(reply.data);
      if (reply.kind === 'detached') detached.resolve();
      if (reply.kind === 'stopped') onStopped?.(reply.signal);
      denied ||= isDenied(reply, op);
    },
  });
  return { running, explain: (error, args) => explainFailure(error, args, denied), detached: detached.promise };
}
