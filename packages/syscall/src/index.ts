export { bootId } from './boot-id.js';
export { bytesOf, textOf } from './byte-text.js';
export * from './constants.js';
export { decodeProgram } from './decode.js';
export { encodeProgram, FRAME_FLAGS, FRAME_MAX, FrameWriter, flatten } from './encode.js';
export { type ErrnoCode, errnoName } from './errno.js';
export { FILE_ERROR_CODES, type FileErrorCode, OPTION_ERROR_CODES, type OptionErrorCode, PROGRAM_ERROR_CODES, type ProgramErrorCode } from './error-codes.js';
export { type CallText, callsOf, type DescriptorOf } from './explain/calls-of.js';
export { type Call, explain, explainText } from './explain/explain.js';
export { FILE_BOUNDS, type FileBound } from './files/file-bounds.js';
export { FileError, type FileProblem, kindOf } from './files/file-error.js';
export { HeldFile } from './files/held-file.js';
export { type FilePlace, holdPlace } from './files/hold-place.js';
export { jsonProblem } from './files/json-problem.js';
export { openRegular, openRegularSync } from './files/open-regular.js';
export { parseJson } from './files/parse-json.js';
export { readLines } from './files/read-lines.js';
export { readNamed, readNamedText, readOptionalText, readRegular, readRegularText, streamRegular } from './files/read-regular.js';
export { findProgram } from './find-program.js';
export { becomeFront, canBecomeFront, outcomeOf, type Told, toldByFront } from './front.js';
export { type FullMapping, type IdMapping, idMapping, insideId, isOwnUserNamespace, ownMountNamespace, ownUserNamespace } from './id-mapping.js';
export type { IdRange } from './id-range.js';
export { interpreterPath } from './interpreter-path.js';
export { LamellaError, type LamellaErrorFields } from './lamella-error.js';
export { type HeldLock, lockFile, tryLockFile } from './lock-file.js';
export type { FrontOptions } from './model/front-options.js';
export type { LockOptions } from './model/lock-options.js';
export type { ProgramIndex } from './model/program-index.js';
export type { RunOptions, StdioOption } from './model/run-options.js';
export type { RunResult } from './model/run-result.js';
export { connectMonitor, type MonitorConnection } from './monitor-client.js';
export { type MountChanges, mountSetattr } from './mount-setattr.js';
export { type MountPoint, readMounts } from './mounts.js';
export { type ObjectIdentity, openObject, sameObject } from './object-identity.js';
export {
  AT_FDCWD,
  type Bytes,
  type CloneOp,
  type ControlOp,
  type ExecveOp,
  type GoOrder,
  MARKS,
  MONITOR_AWAY,
  MONITOR_ENDED,
  MONITOR_INPUT,
  MONITOR_LEAVES,
  MONITOR_RAW,
  type OnExitOp,
  type Op,
  type OpOptions,
  type Program,
  RESERVED_SLOTS,
  RESTART,
  type ServeOp,
  type SetgroupsOp,
  type SlotAllocator,
  SUPERVISE,
  slotAllocator,
} from './op.js';
export { FD_FIELDS, OPCODES } from './opcodes.js';
export * as take from './options/check.js';
export { nearestName } from './options/nearest.js';
export { type OptionReader, optionReader, shapeOf } from './options/options-of.js';
export { isOriginMark, isOverlayMark, isOwnAttribute, OPAQUE_FILE, WHITEOUT, whiteoutFile } from './overlay-mark.js';
export { ProgramError } from './program-error.js';
export { type OpenFlags, type OpenOp, openBeneath, openInRoot, openWithoutLinks } from './recipes/open-safely.js';
export { removeScratch } from './remove-scratch.js';
export { type Reply, replyParser } from './replies.js';
export { type Running, run, type StreamedRun, start, startInterpreter } from './run.js';
export { runMapped } from './run-mapped.js';
export { isSealedText, sealText } from './sealed-text.js';
export { packSeen, SAME, type Seen, seenOf, type Time } from './seen.js';
export { END_SERVED, type Server, serve, servingProgram } from './serve.js';
export { shellWord } from './shell-word.js';
export { SyscallError } from './syscall-error.js';
export { unfitForUpper } from './upper-filesystem.js';
export { mapSingleId } from './user-namespace.js';
export { type VisibleOptions, visible, visibleBytes, visibleJson } from './visible.js';
export { type Compared, type ObjectType, objectType, parseCompared, parseWalked, type Walked } from './walked.js';
export { isTransient, writeAll } from './write-all.js';
