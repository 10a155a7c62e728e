export { busyboxArchive } from './busybox.js';
export { mountsBelow, type ScratchDirectory, scratch } from './directory.js';
export { type DockerDaemon, dockerDaemon } from './docker-daemon.js';
export { findProgram, requiresProgram, requiresRoot, skip } from './requires.js';
