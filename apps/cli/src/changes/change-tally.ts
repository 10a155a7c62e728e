import type { ContainerChange } from '@lamella/engine';

/** How much was changed: objects by kind, and bytes of files that came and went. */
export class ChangeTally {
  added = 0;
  modified = 0;
  deleted = 0;
  /** Bytes of files that are new, or have grown by. */
  bytesAdded = 0;
  /** Bytes of files that are gone, or have shrunk by. */
  bytesDeleted = 0;

  add({ kind, before, after }: Pick<ContainerChange, 'kind' | 'before' | 'after'>): void {
    this[kind]++;
    const growth = (after?.size ?? 0) - (before?.size ?? 0);
    if (growth > 0) this.bytesAdded += growth;
    else this.bytesDeleted -= growth;
  }
}
