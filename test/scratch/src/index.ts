export { busyboxArchive } from './busybox.js';
export { cgroupsOf } from './cgroups.js';
export { mountsBelow, type ScratchDirectory, scratch } from './directory.js';
export { type DockerDaemon, dockerDaemon } from './docker-daemon.js';
export { type Registry, startRegistry } from './docker-registry.js';
export { OCI_RUNTIME, type OciBundle, type OciResult, ociBundle } from './oci-bundle.js';
export { findProgram, requiresProgram, requiresRoot, skip } from './requires.js';
export { storeScript } from './store-script.js';
export { type Systemd, startSystemd } from './systemd.js';
