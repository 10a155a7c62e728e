export { claim, claimAgain, reclaim } from './claim.js';
export { type Claim, formatJournal, parseJournal } from './claims.js';
export { CleanupError } from './cleanup-error.js';
export { CLEANUP_ERROR_CODES, type CleanupErrorCode } from './error-codes.js';
export { type ContainerRecord, controlOf, directoryOf, gateOf, journalOf, keptOf, lockOf } from './record.js';
export { release, releaseContainer, releaseKept } from './release.js';
export { claimsLeft, type HeldLocks, heldLocks, monitorOf, releaseDead, type SweepResult, sweep } from './sweep.js';
