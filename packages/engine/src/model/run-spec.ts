import type { Resources } from '@lamella/cgroup';
import type { CapabilityName, Rlimit, TmpfsMount } from '@lamella/namespace';
import type { SeccompProfile } from '@lamella/seccomp';
import type { Device } from './device.js';
import type { HostView } from './host-view.js';
import type { PublishedPort } from './published-port.js';
import type { UserNamespace } from './user-namespace.js';
import type { Volume } from './volume.js';

/** `unless-stopped` is `always`: who stops a container does not want it again. */
export type RestartPolicy = 'no' | 'on-failure' | 'always' | 'unless-stopped';

/** What to run, and in what. */
export interface RunSpec {
  /**
   * `NAME[:TAG]` in the store, or a place (see {@link ImageStore.importLocation}): a path, or `docker-archive:`,
   * `oci-archive:`, `oci:` or `dir:` with one; in a workspace the name of `NAME.tar` or of the directory `NAME`.
   */
  readonly image: string;
  /** Whether to fetch it from its registry: when it is missing (default of the command line), always, or never (default here). */
  readonly pull?: 'always' | 'missing' | 'never';
  /** `OS/ARCHITECTURE[/VARIANT]`: the image is of this platform, or is fetched for it. Default: what the store has, else this machine's. */
  readonly platform?: string;
  /** Whether certificates of the registry are checked. Default true. */
  readonly tlsVerify?: boolean;
  /** The host's own filesystem instead of an image's; see {@link Containers.try}. */
  readonly host?: HostView;
  /** The command and its arguments; the image's own when there are none. */
  readonly args?: readonly string[];
  /** Takes the place of the image's entrypoint; an empty list removes it. */
  readonly entrypoint?: readonly string[];
  /** Absolute path of the store. Default: {@link defaultRoot}. */
  readonly root?: string;
  /**
   * Absolute path of a directory that holds the image's tar, and during the run `upper`, `work`
   * and, for root, the mount `merged`, visible to the host.
   */
  readonly workspace?: string;
  /** Variables of the environment, beside those of the image. */
  readonly env?: Readonly<Record<string, string>>;
  /** `NAME|UID[:GROUP|GID]`. */
  readonly user?: string;
  /** Absolute path inside; it is made when it is missing. Default: the image's. */
  readonly cwd?: string;
  /** In any order: directories are mounted before what is in them. */
  readonly volumes?: readonly Volume[];
  /** Absolute paths inside of directories that stay writable when the root is read-only, as those that an image calls volumes. */
  readonly anonymousVolumes?: readonly string[];
  /** Filesystems in memory, by their absolute paths inside. They are empty at each start. */
  readonly tmpfs?: readonly Omit<TmpfsMount, 'type'>[];
  /** Whether `/` is read-only. Volumes and tmpfs stay writable. Default false. */
  readonly readonlyRoot?: boolean;
  /** The name in the UTS namespace and in `/etc/hostname`. Default: the container's id. */
  readonly hostname?: string;
  /** What it is called beside its id; one container at a time has a name. */
  readonly name?: string;
  /** Words for programs and people that look for the container. Default: none. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Whether a small process is pid 1, which reaps orphans and forwards signals. Default false. */
  readonly init?: boolean;
  /** With `init`: see {@link ProcessSpec.job} of @lamella/namespace. */
  readonly job?: boolean;
  /** Default `host`. */
  readonly userns?: UserNamespace;
  /** Default `none`: a separate network with nothing but loopback. `pasta`: that, connected with the host's by pasta(1). */
  readonly network?: 'none' | 'host' | 'pasta';
  /** Ports of the host that lead into the container. With `pasta`. */
  readonly publish?: readonly PublishedPort[];
  /** Keep the container after its end: what it changed, its logs and how it ended, to be started again or removed. */
  readonly keep?: boolean;
  /** Of one that is kept before it runs: throw it away at the end of its first life. */
  readonly removeAtEnd?: boolean;
  /** How to ask it to end: a signal's name or number. Default: the image's stop signal, else SIGTERM. */
  readonly stopSignal?: string;
  /** Seconds between being asked to end and being killed. Default 10. */
  readonly stopTimeout?: number;
  /** Whether the monitor of a detached container starts it again. `limit`: how often on-failure does; 0, the default, is always. */
  readonly restart?: { readonly policy: RestartPolicy; readonly limit?: number };
  /**
   * Of a detached container's log: bytes of a file (0: without a bound), and how many files there are (1 to 9; default 1 where a size is
   * given). Default: 5 of 20 MiB. The oldest goes when a new one begins.
   */
  readonly logs?: { readonly maxSize?: number; readonly maxFiles?: number };
  /** Keys that leave it running, as bytes, where a terminal is typed into. */
  readonly detachKeys?: string;
  /** The file mode creation mask. Default 0o022. */
  readonly umask?: number;
  /** Limits of each process (setrlimit(2)). Default: those of the caller. */
  readonly rlimits?: readonly Rlimit[];
  /** Beside {@link DEFAULT_CAPABILITIES}; a user who is not root has these, too (ambient). */
  readonly capAdd?: readonly (CapabilityName | 'ALL')[];
  /** Capabilities that the container does not get. Default: none. */
  readonly capDrop?: readonly (CapabilityName | 'ALL')[];
  /** Default true, but not when privileged: nothing executed gains privileges. */
  readonly noNewPrivileges?: boolean;
  /** Default: the profile of @lamella/seccomp. */
  readonly seccomp?: SeccompProfile | 'unconfined';
  /** Everything that this process may do: all capabilities and devices, no filter, nothing hidden. It is then not a sandbox any more. */
  readonly privileged?: boolean;
  /** `/proc` shows processes of others not at all (2), or not what they do (1); see proc(5). */
  readonly hidepid?: 0 | 1 | 2;
  /** Devices of the host that are shown inside. Default: none but the usual ones. */
  readonly devices?: readonly Device[];
  /** Size of /dev/shm, as tmpfs(5) has it. Default `65536k`. */
  readonly shmSize?: string;
  /** What it may use up. Processes are limited to 2048 where that costs nothing (cgroups of version 2, as root). */
  readonly resources?: Resources;
  /** -1000 to 1000 (proc(5)). */
  readonly oomScoreAdj?: number;
  /** A new terminal with this size, in characters. Default: none. */
  readonly terminal?: { readonly rows: number; readonly columns: number };
  /** What happens to stdin while there is a terminal: see `ProcessSpec.input` of @lamella/namespace. */
  readonly input?: { readonly forward: boolean; readonly raw: boolean; readonly later?: boolean; readonly ended?: boolean };
}
