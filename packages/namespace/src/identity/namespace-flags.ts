import { CLONE, idMapping } from '@lamella/syscall';
import type { Namespaces } from '../model/process-spec.js';

/** The namespaces of a spec that names none. */
export function defaultNamespaces(): Namespaces {
  return { user: idMapping().kind === 'single', within: idMapping().kind === 'full', pid: true, uts: true, ipc: true, net: true, cgroup: true };
}

/** Those of a process whose monitor is in a user namespace of this user's already, with the ids that it has. Root has all, and is in none. */
export function withinOwn(): Namespaces {
  const { kind } = idMapping();
  return { ...defaultNamespaces(), user: false, within: kind === 'single' ? 'single' : kind === 'full' };
}

/** CLONE_NEW* flags; a mount namespace always, for the root is pivoted in it. */
export function cloneFlags(namespaces: Namespaces): number {
  return (
    CLONE.NEWNS +
    (namespaces.user ? CLONE.NEWUSER : 0) +
    (namespaces.pid ? CLONE.NEWPID : 0) +
    (namespaces.uts ? CLONE.NEWUTS : 0) +
    (namespaces.ipc ? CLONE.NEWIPC : 0) +
    (namespaces.net ? CLONE.NEWNET : 0) +
    (namespaces.cgroup ? CLONE.NEWCGROUP : 0) +
    (namespaces.time ? CLONE.NEWTIME : 0)
  );
}
