import { checkInterpreter } from './check-interpreter.js';
import { checkCgroup, checkKernel, checkSeccomp } from './check-kernel.js';
import { checkMappedIds } from './check-mapped-ids.js';
import { checkNamespaces, checkSubordinateIds } from './check-namespaces.js';
import { checkFuse, checkPasta, checkXz } from './check-programs.js';
import { checkOverlay, checkStore } from './check-store.js';
import type { Finding } from './finding.js';

/**
 * Tries what a run needs on this machine, as this user.
 *
 * @param root absolute path of the store
 */
export async function examine(root: string): Promise<readonly Finding[]> {
  const place = await checkStore(root);
  const served = await checkFuse(root, place);
  return [
    checkKernel(),
    await checkInterpreter(),
    await checkNamespaces(),
    await checkSubordinateIds(),
    place,
    await checkOverlay(root, place, served),
    served,
    ...(await checkMappedIds(root, place, served)),
    await checkSeccomp(),
    await checkCgroup(),
    await checkPasta(root, place),
    await checkXz(),
  ];
}
