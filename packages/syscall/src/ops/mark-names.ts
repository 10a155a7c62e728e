/* Generated from native/tree/marks.def by native/tables.mjs: change the table and run it. */
// biome-ignore-all format: each entry is one line, as in the table

/** The beginning of the name of a file that hides another (OCI image-spec, layer.md, "Whiteouts"). */
export const WHITEOUT = '.wh.';
/** The file that hides everything that lower layers have in its directory. */
export const OPAQUE_FILE = '.wh..wh..opq';
/** The attribute of an opaque directory, for root. */
export const TRUSTED_OPAQUE = 'trusted.overlay.opaque';
/** The attribute of an opaque directory, in a user namespace (the mount option `userxattr`). */
export const USER_OPAQUE = 'user.overlay.opaque';

/** Prefixes of extended attributes that belong to an object, unless one of the lists below has them. */
export const OWN_ATTRIBUTES: readonly string[] = ['user.', 'trusted.', 'security.', 'system.posix_acl_access', 'system.posix_acl_default'];
/** Prefixes of labels, measurements, and attributes that a filesystem makes up. */
export const FOREIGN_ATTRIBUTES: readonly string[] = ['trusted.SGI_', 'security.selinux', 'security.ima', 'security.evm'];
/** Prefixes of the marks of overlayfs and of fuse-overlayfs(1). */
export const OVERLAY_ATTRIBUTES: readonly string[] = ['trusted.overlay.', 'user.overlay.', 'user.fuseoverlayfs.'];
