export { describeTree, type TreeEntry, treeLines } from './describe-tree.js';
export { type LayoutOptions, ociLayout } from './oci-layout.js';
export { type ImageToSave, SAVERS, type Saver, savedArchive, savedImages } from './saved-images.js';
export { type Member, paxRecord, tarArchive } from './tar-archive.js';
