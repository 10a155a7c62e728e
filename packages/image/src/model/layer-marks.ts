/** What hides something: a device or an attribute, as overlayfs has it, or a file, as in the archive. */
export type LayerMarks = 'overlayfs' | 'files';
