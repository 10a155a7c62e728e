/**
 * Whether an attribute is a mark of overlayfs or of fuse-overlayfs(1): it says what an object hides, or where it was, and not what it is. In
 * an archive it would be taken for the truth about a layer.
 */
export function isOverlayMark(name: string): boolean {
  return /^(?:(?:trusted|user)\.overlay|user\.fuseoverlayfs)\./.test(name);
}

/**
 * Whether an attribute is the object's own. Marks of overlayfs are not, nor are labels and measurements, which belong to the place and the
 * kernel, nor is what a filesystem shows of its own way of keeping things, such as `trusted.SGI_ACL_FILE` of xfs beside the ACL itself.
 * `native/copy.c` has the same list.
 */
export function isOwnAttribute(name: string): boolean {
  return (
    /^(?:user\.|trusted\.|security\.|system\.posix_acl_(?:access|default)$)/.test(name) &&
    !/^(?:(?:trusted|user)\.overlay\.|user\.fuseoverlayfs\.|trusted\.SGI_|security\.(?:selinux|ima|evm))/.test(name)
  );
}

/** Where a copy-up says what it is a copy of. */
export function isOriginMark(name: string): boolean {
  return isOverlayMark(name) && name.endsWith('.origin');
}

/** What the name of a file begins with that hides another (OCI image-spec, layer.md, "Whiteouts"). */
export const WHITEOUT = '.wh.';

/** The file that hides all that the directories below had in this one. */
export const OPAQUE_FILE = '.wh..wh..opq';

/** The path of the file that hides a path. */
export function whiteoutFile(path: string): string {
  const slash = path.lastIndexOf('/') + 1;
  return `${path.slice(0, slash)}${WHITEOUT}${path.slice(slash)}`;
}
