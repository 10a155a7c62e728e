import type { ContainerChange } from '@lamella/engine';

/** Counts changes by kind, and the bytes that were added and deleted. */
export class ChangeTally {
  added = 0;
  modified = 0;
  deleted = 0;
  /** Bytes of added files, and by which files have grown. */
  bytesAdded = 0;
  /** Bytes of deleted files, and by which files have shrunk. */
  bytesDeleted = 0;

  add({ kind, before, after }: Pick<ContainerChange, 'kind' | 'before' | 'after'>): void {
    this[kind]++;
    const growth = (after?.size ?? 0) - (before?.size ?? 0);
    if (growth > 0) this.bytesAdded += growth;
    else this.bytesDeleted -= growth;
  }
}
