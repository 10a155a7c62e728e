export { type ErrnoCode, errnoName } from './errors/errno.js';
export {
  FILE_ERROR_CODES,
  type FileErrorCode,
  OPTION_ERROR_CODES,
  type OptionErrorCode,
  PROGRAM_ERROR_CODES,
  type ProgramErrorCode,
} from './errors/error-codes.js';
export { ignoreMissing } from './errors/ignore-missing.js';
export { LamellaError, type LamellaErrorFields } from './errors/lamella-error.js';
export { ProgramError } from './errors/program-error.js';
export { type CallText, callsOf, type DescriptorOf } from './explain/calls-of.js';
export { type Call, explain, explainText } from './explain/explain.js';
export { FILE_BOUNDS, type FileBound } from './files/file-bounds.js';
export { FileError, type FileProblem, kindOf } from './files/file-error.js';
export { FileMemory } from './files/file-memory.js';
export { HeldFile } from './files/held-file.js';
export { type FilePlace, holdPlace } from './files/hold-place.js';
export { jsonProblem } from './files/json-problem.js';
export { openRegular, openRegularSync } from './files/open-regular.js';
export { parseJson } from './files/parse-json.js';
export { readLines } from './files/read-lines.js';
export { readNamed, readNamedText, readOptionalText, readRegular, readRegularText, streamRegular } from './files/read-regular.js';
export { bootId } from './host/boot-id.js';
export { findProgram } from './host/find-program.js';
export {
  type FullMapping,
  type IdMapping,
  idMapping,
  insideId,
  isOwnUserNamespace,
  mapCommands,
  ownMountNamespace,
  ownUserNamespace,
} from './host/id-mapping.js';
export { interpreterPath } from './host/interpreter-path.js';
export { type MountPoint, readMounts } from './host/mounts.js';
export { unfitForUpper } from './host/upper-filesystem.js';
export { isTransient, writeAll } from './host/write-all.js';
export type { FrontOptions } from './model/front-options.js';
export type { IdRange } from './model/id-range.js';
export type { LockOptions } from './model/lock-options.js';
export type { ProgramIndex } from './model/program-index.js';
export type { RunOptions, StdioOption } from './model/run-options.js';
export type { RunResult } from './model/run-result.js';
export * from './ops/constants.js';
export { OPAQUE_FILE, TRUSTED_OPAQUE, USER_OPAQUE, WHITEOUT } from './ops/mark-names.js';
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
} from './ops/op.js';
export { FD_FIELDS, OPCODES } from './ops/opcodes.js';
export { isOriginMark, isOverlayMark, isOwnAttribute, whiteoutFile } from './ops/overlay-mark.js';
export { SyscallError } from './ops/syscall-error.js';
export * as take from './options/check.js';
export { nearestName } from './options/nearest.js';
export { type OptionReader, optionReader, shapeOf } from './options/options-of.js';
export { type MountChanges, mountSetattr } from './recipes/mount-setattr.js';
export { type ObjectIdentity, openObject, sameObject } from './recipes/object-identity.js';
export { type OpenFlags, type OpenOp, openBeneath, openInRoot, openWithoutLinks } from './recipes/open-safely.js';
export { END_SERVED, type Server, serve, servingProgram } from './recipes/serve.js';
export { setRootIds } from './recipes/set-root-ids.js';
export { mapSingleId } from './recipes/user-namespace.js';
export { CONDITION, type Condition } from './replay/condition.js';
export { callerCondition, type ObservedReads, observedReads, observeReads, unobserved } from './replay/observed-reads.js';
export { COMMAND_WORDS, type RunRecord, recordsDirectory, writeRecord } from './replay/record-file.js';
export {
  type Filling,
  fillTemplate,
  HOLE_MARKS,
  HOLE_MARKS_WITH_SLASH,
  HOLE_MARKS_WITHOUT_WORDS,
  type Hole,
  type Template,
  TemplateError,
  templateOfProgram,
  templateOfText,
} from './replay/template.js';
export { becomeFront, canBecomeFront, type FrontReport, outcomeOf, readFrontReport } from './run/front.js';
export { type HeldLock, lockFile, tryLockFile } from './run/lock-file.js';
export { connectMonitor, type MonitorConnection } from './run/monitor-client.js';
export { removeScratch } from './run/remove-scratch.js';
export { type Running, run, type StreamedRun, start, startInterpreter } from './run/run.js';
export { runInUserNamespace } from './run/run-in-user-namespace.js';
export { bytesOf, textOf } from './text/byte-text.js';
export { isSealedText, sealText } from './text/sealed-text.js';
export { shellWord } from './text/shell-word.js';
export { type VisibleOptions, visible, visibleBytes, visibleJson } from './text/visible.js';
export { decodeProgram } from './wire/decode.js';
export { encodeProgram, FRAME_FLAGS, FRAME_MAX, FrameWriter, flatten } from './wire/encode.js';
export { type Reply, replyParser } from './wire/replies.js';
export { packSeen, SAME, type Seen, seenOf, type Time } from './wire/seen.js';
export { type Compared, type ObjectType, objectType, parseCompared, parseWalked, type Walked } from './wire/walked.js';
