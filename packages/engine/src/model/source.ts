import type { ObjectIdentity } from '@lamella/syscall';

/** An object of the host that a container was given: a volume's source, the target of an overlay, a device, a workspace. */
export interface Source {
  /** Absolute, without links: making the container followed the links of the requested path once. */
  readonly path: string;
  /** Of its inode number and birth time what its filesystem keeps; see `identityOf` in sources/source.ts. */
  readonly identity: ObjectIdentity;
  /** Magic number of its filesystem (statfs(2)). */
  readonly filesystem: number;
  /** Whose it is, and who may do what (inode(7)): not compared. */
  readonly look: { readonly mode: number; readonly uid: number; readonly gid: number };
  /** Of a device: which (`st_rdev`). */
  readonly device?: string;
  /** Id of the boot in which that was seen: device numbers of filesystems belong to it. */
  readonly boot: string;
}

/** Objects of the host that a container was given, by the paths that were asked for. */
export type Sources = ReadonlyMap<string, Source>;
