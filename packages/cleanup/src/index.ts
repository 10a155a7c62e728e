export { claim, reclaim } from './claim.js';
export { type Claim, formatJournal, parseJournal } from './claims.js';
export { CleanupError } from './cleanup-error.js';
export { type ContainerRecord, directoryOf, journalOf, keptOf, lockOf } from './record.js';
export { release, releaseContainer } from './release.js';
export { releaseDead, type SweepResult, sweep } from './sweep.js';
