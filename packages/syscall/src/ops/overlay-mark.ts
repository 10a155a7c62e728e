import { FOREIGN_ATTRIBUTES, OVERLAY_ATTRIBUTES, OWN_ATTRIBUTES, WHITEOUT } from './mark-names.js';

const startsWithAny = (name: string, prefixes: readonly string[]): boolean => prefixes.some((prefix) => name.startsWith(prefix));

/**
 * Returns whether an attribute is a mark of overlayfs or of fuse-overlayfs(1). A mark describes what an object hides or where it
 * was, not the object, so archives must not contain it.
 */
export function isOverlayMark(name: string): boolean {
  return startsWithAny(name, OVERLAY_ATTRIBUTES);
}

/**
 * Returns whether an attribute belongs to the object. Marks of overlayfs do not, nor do labels and measurements, nor attributes that
 * a filesystem makes up, such as `trusted.SGI_ACL_FILE` of xfs beside the ACL itself.
 */
export function isOwnAttribute(name: string): boolean {
  return startsWithAny(name, OWN_ATTRIBUTES) && !startsWithAny(name, OVERLAY_ATTRIBUTES) && !startsWithAny(name, FOREIGN_ATTRIBUTES);
}

/** Returns whether an attribute is the mark in which a copy-up notes its origin. */
export function isOriginMark(name: string): boolean {
  return isOverlayMark(name) && name.endsWith('.origin');
}

/** Returns the path of the whiteout file that hides a path. */
export function whiteoutFile(path: string): string {
  const slash = path.lastIndexOf('/') + 1;
  return `${path.slice(0, slash)}${WHITEOUT}${path.slice(slash)}`;
}
