import { SyscallError, textOf } from '@lamella/syscall';
import { EngineError } from '../../model/engine-error.js';
import type { Journal } from './program/journal.js';

/** Returns the path of a name below a directory of the host, for a message. */
export function shownPath(source: string, name: string): string {
  return `${source === '/' ? '' : source}/${textOf(Buffer.from(name, 'latin1'))}`;
}

/** Returns up to ten of some paths for a message, and how many more there are. */
export function some(paths: readonly string[]): string {
  const more = paths.length - 10;
  return `${paths.slice(0, 10).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

export function busy(error: unknown): EngineError | undefined {
  if (!(error instanceof SyscallError) || error.op.op !== 'flock' || error.code !== 'EAGAIN') return undefined;
  return busyNow(error);
}

export function busyNow(cause?: unknown): EngineError {
  return new EngineError({
    code: 'APPLY_BUSY',
    message: 'another command is applying the same container',
    hint: 'Wait for its end.',
    ...(cause === undefined ? {} : { cause }),
  });
}

export function conflicting(paths: readonly string[]): EngineError {
  return new EngineError({
    code: 'APPLY_CONFLICT',
    message: `the host has changed since the container began: ${some(paths)}`,
    hint: 'Nothing was applied. --ours lets the container win, --theirs leaves what the host has; choose paths to apply others only.',
  });
}

/** The host was faster. */
export function changedMeanwhile(paths: readonly string[], cause?: unknown): EngineError {
  return new EngineError({
    code: 'APPLY_CONFLICT',
    message: `the host changed while its directory was being written${paths.length ? `: ${some(paths)}` : ''}`,
    hint: 'Nothing was applied. Try again.',
    ...(cause === undefined ? {} : { cause }),
  });
}

export function incomplete({ parts, id }: Pick<Journal, 'parts' | 'id'>, cause: unknown): EngineError {
  return new EngineError({
    code: 'APPLY_INCOMPLETE',
    message: `an apply of the container ${id} to ${parts.map((part) => part.source).join(', ')} cannot be taken back: ${(cause as Error).message}`,
    hint: `What was there before is in ${parts.map((part) => `${part.stage}/old`).join(', ')}. Remove what is in the way; the next command tries again.`,
    cause,
  });
}

export function nothingToUndo(id: string): EngineError {
  return new EngineError({
    code: 'UNDO_NOTHING',
    message: `nothing of the container ${id} was applied`,
    hint: 'An apply can be taken back until the next one to the same directory.',
  });
}
