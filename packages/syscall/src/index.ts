export * from './constants.js';
export { decodeProgram } from './decode.js';
export { encodeProgram, flatten, FRAME_FLAGS, FRAME_MAX, FrameWriter } from './encode.js';
export { interpreterPath } from './interpreter-path.js';
export { type HeldLock, lockFile, type LockOptions, tryLockFile } from './lock-file.js';
export { LamellaError, type LamellaErrorFields } from './lamella-error.js';
export {
  AT_FDCWD,
  type Bytes,
  type CloneOp,
  type ControlOp,
  type ExecveOp,
  MONITOR_INPUT,
  MONITOR_RAW,
  type OnExitOp,
  type Op,
  type OpOptions,
  type Program,
  type SetgroupsOp,
  type SlotAllocator,
  slotAllocator,
} from './op.js';
export { OPCODES } from './opcodes.js';
export { errnoName, type Reply } from './replies.js';
export {
  type ProgramIndex,
  run,
  type Running,
  type RunOptions,
  type RunResult,
  start,
  startInterpreter,
  type StdioOption,
  type StreamedRun,
} from './run.js';
export { SyscallError } from './syscall-error.js';
export { mapSingleId } from './user-namespace.js';
