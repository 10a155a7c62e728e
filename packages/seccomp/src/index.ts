export { ARCHITECTURES, type Architecture, type ArchitectureName } from './architecture.js';
export { applicableRules, compileProfile, type SeccompFilter, VERDICTS } from './compile.js';
export type { CompileOptions } from './compile-options.js';
export { DEFAULT_PROFILE } from './default-profile.js';
export { SECCOMP_ERROR_CODES, type SeccompErrorCode } from './error-codes.js';
export { evaluate, type SyscallData } from './evaluate.js';
export {
  type Action,
  type ArgumentCondition,
  checkProfile,
  type Operator,
  parseProfile,
  type RuleCondition,
  type SeccompProfile,
  type SyscallRule,
} from './profile.js';
export { SeccompError } from './seccomp-error.js';
