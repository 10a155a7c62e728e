/** A kind of file and the most bytes of it that are read. */
export interface FileBound {
  /** The kind with its article, for messages. */
  readonly what: string;
  readonly bytes: number;
}

const KIB = 1024;
const MIB = 1024 * KIB;

/** How much is read of each kind of file. docs/internals/untrusted-files.md has the same table; a test compares them. */
export const FILE_BOUNDS: Readonly<Record<'users' | 'document' | 'bundle' | 'credentials' | 'environment' | 'profile' | 'host', FileBound>> = {
  /** passwd(5) and group(5) of an image or a container: read line by line. */
  users: { what: 'a user database', bytes: 64 * MIB },
  /** Manifests, indexes and configs. The distribution specification lets registries refuse larger ones. */
  document: { what: 'a document of an image', bytes: 4 * MIB },
  /** `config.json`, process and resource files of a bundle. */
  bundle: { what: 'a configuration of a container', bytes: 16 * MIB },
  /** Credentials and certificates. */
  credentials: { what: 'a file of credentials', bytes: 4 * MIB },
  /** `--env-file`. */
  environment: { what: 'a file of environment variables', bytes: 16 * MIB },
  /** `--security-opt seccomp=FILE`. */
  profile: { what: 'a seccomp profile', bytes: 16 * MIB },
  /** /etc/subuid, /etc/subgid, /etc/resolv.conf, /etc/hosts, of the host. */
  host: { what: 'a configuration file of the host', bytes: 16 * MIB },
};
