export { busyboxArchive } from './busybox.js';
export { mountsBelow, type ScratchDirectory, scratch } from './directory.js';
export { findProgram, requiresProgram, requiresRoot, skip } from './requires.js';
