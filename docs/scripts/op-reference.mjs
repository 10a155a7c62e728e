import { opsReference } from '../../packages/syscall/native/tables.mjs';

/** Returns the page of the operations of a program, from the table that the interpreter is compiled with. */
export function opReference() {
  return { 'ops.md': opsReference() };
}
