/**
 * Remembers which Node runs a package, in the link `.node` at its top: the command of the package starts that Node
 * the next time. An engine starts an OCI runtime with another PATH, which may lead to another Node, or to none.
 *
 * Nothing is written where the user chose a Node (LAMELLA_NODE), in another user's package, or when the link leads somewhere.
 */
const { existsSync, renameSync, statSync, symlinkSync } = require('node:fs');
const path = require('node:path');

/** @param {string} top absolute path of the package */
exports.rememberNode = (top) => {
  if (process.env.LAMELLA_NODE) return;
  const link = path.join(top, '.node');
  if (existsSync(link)) return;
  try {
    const own = process.geteuid();
    if (statSync(top).uid !== own || ![0, own].includes(statSync(process.execPath).uid)) return;
    // By a rename, for another process may do the same.
    const made = `${link}-${process.pid}`;
    symlinkSync(process.execPath, made);
    renameSync(made, link);
  } catch {
    // A package that cannot be written to (a read-only filesystem, a full disk) has its Node from PATH.
  }
};
