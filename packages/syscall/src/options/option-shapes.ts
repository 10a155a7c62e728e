import { ProgramError } from '../errors/program-error.js';
import type { FrontOptions } from '../model/front-options.js';
import type { LockOptions } from '../model/lock-options.js';
import type { RunOptions, StdioOption } from '../model/run-options.js';
import type { StreamOptions } from '../model/stream-options.js';
import * as take from './check.js';
import { type OptionReader, optionReader, shapeOf } from './options-of.js';

/** Reads the arguments of the public functions of this package. */
export const read: OptionReader = optionReader(ProgramError);

const DESCRIPTOR = take.whole(0, 2 ** 20);
const STDIO: take.Check<StdioOption> = take.either(take.oneOf('inherit', 'pipe', 'ignore'), DESCRIPTOR);
const TRIPLE: take.Check<readonly [StdioOption, StdioOption, StdioOption]> = Object.assign(
  (value: unknown, at: string): readonly [StdioOption, StdioOption, StdioOption] => {
    if (!Array.isArray(value) || value.length !== 3)
      throw new take.OptionFault('invalid', `${at} is ${take.shown(value)}`, `It takes a list of three, each ${STDIO.takes}.`);
    return take.listOf(STDIO)(value, at) as readonly [StdioOption, StdioOption, StdioOption];
  },
  { takes: `a list of three, each ${STDIO.takes}` },
);

export const RUN_OPTIONS: take.Check<RunOptions> = shapeOf<RunOptions>(() => ({
  stdio: TRIPLE,
  signal: take.abortSignal,
  descriptors: take.listOf(DESCRIPTOR),
  spawner: take.flag,
  onReply: take.functionOf(),
}));
export const LOCK_OPTIONS: take.Check<LockOptions> = shapeOf<LockOptions>(() => ({ signal: take.abortSignal, create: take.flag, shared: take.flag }));
export const STREAM_OPTIONS: take.Check<StreamOptions> = shapeOf<StreamOptions>(() => ({
  signal: take.abortSignal,
  highWaterMark: take.whole(1),
  part: take.objectOf<NonNullable<StreamOptions['part']>>({ offset: take.required(take.whole(0)), size: take.required(take.whole(0)) }),
}));
export const FRONT_OPTIONS: take.Check<FrontOptions> = shapeOf<FrontOptions>(() => ({
  title: take.required(take.text),
  stdin: take.required(take.flag),
  explainer: take.required(take.listOf(take.text) as unknown as take.Check<FrontOptions['explainer']>),
  context: take.required(take.text),
  left: take.text,
  detached: take.flag,
  onLast: take.functionOf<() => void>(),
}));
