/**
 * Whether an attribute is a mark of overlayfs or of fuse-overlayfs(1): it says what an object hides, or where it was, and not what it is. In
 * an archive it would be taken for the truth about a layer.
 */
export function isOverlayMark(name: string): boolean {
  return /^(?:(?:trusted|user)\.overlay|user\.fuseoverlayfs)\./.test(name);
}

/** Where a copy-up says what it is a copy of. */
export function isOriginMark(name: string): boolean {
  return isOverlayMark(name) && name.endsWith('.origin');
}
