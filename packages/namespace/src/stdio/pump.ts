import type { Readable, Writable } from 'node:stream';
import { NamespaceError } from '../model/namespace-error.js';

/** Whether a stream is one of this process's own, which are nobody's to end. */
export function isStandard(stream: Readable | Writable): boolean {
  return [process.stdin, process.stdout, process.stderr].includes(stream as never);
}

/**
 * Carries what a stream brings to another one, no faster than that takes it. The other is not ended.
 *
 * @returns `ended` when all is written, `closed` when the other stream takes no more
 * @throws what the source fails with; what writing fails with, except for a reader that has gone
 */
export function pump(source: Readable, target: Writable): Promise<'ended' | 'closed'> {
  const { promise, resolve, reject } = Promise.withResolvers<'ended' | 'closed'>();
  const resume = (): void => void source.resume();
  const onData = (chunk: unknown): void => {
    if (typeof chunk !== 'string' && !(chunk instanceof Uint8Array)) reject(notData(chunk));
    else if (target.destroyed || target.writableEnded) resolve('closed');
    else if (!target.write(chunk)) source.pause();
  };
  const onEnd = (): void => resolve('ended');
  const onSourceClose = (): void => (source.readableEnded ? resolve('ended') : reject(source.errored ?? endedEarly()));
  const onTargetError = (error: NodeJS.ErrnoException): void => (isGone(error) ? resolve('closed') : reject(error));
  const onTargetClose = (): void => resolve('closed');
  if (source.errored) reject(source.errored);
  else if (source.readableEnded) resolve('ended');
  else if (source.destroyed) reject(endedEarly());
  else if (target.destroyed) resolve('closed');
  else {
    source.on('end', onEnd).on('error', reject).on('close', onSourceClose);
    target.on('error', onTargetError).on('close', onTargetClose).on('drain', resume);
    source.on('data', onData);
    // What a user has paused brings data to us all the same.
    source.resume();
  }
  return promise.finally(() => {
    source.off('data', onData).off('end', onEnd).off('error', reject).off('close', onSourceClose);
    target.off('close', onTargetClose).off('drain', resume);
    // It may still fail: that has been told, or is what a reader does that has gone.
    if (!isStandard(target)) target.on('error', () => undefined);
    target.off('error', onTargetError);
    if (source.listenerCount('error') === 0) source.on('error', () => undefined);
    if (isStandard(source)) source.pause();
    else if (!source.readableEnded) source.destroy();
  });
}

/** A process may end, or close its stdin, before it has read everything: that is not an error. */
function isGone(error: NodeJS.ErrnoException): boolean {
  return ['EPIPE', 'ECONNRESET', 'ERR_STREAM_PREMATURE_CLOSE', 'ERR_STREAM_DESTROYED', 'ERR_STREAM_WRITE_AFTER_END'].includes(error.code ?? '');
}

function endedEarly(): NamespaceError {
  return new NamespaceError({
    code: 'INPUT_FAILED',
    message: 'the input was closed before its end',
    hint: 'The program that writes the stream must end it: stream.end().',
  });
}

function notData(chunk: unknown): NamespaceError {
  return new NamespaceError({
    code: 'INPUT_FAILED',
    message: `the input brought ${chunk === null ? 'null' : `a value of the type ${typeof chunk}`}`,
    hint: 'It must bring strings or Uint8Arrays.',
  });
}
