/**
 * Remembers what starts the command of a package the next time, in two links at its top:
 *
 * - `.node` is the Node that runs it. An engine starts an OCI runtime with another PATH, which may lead to another Node,
 *   or to none. It is not written where the user chose a Node (LAMELLA_NODE).
 * - `.init` is the native launcher, which the command executes before Node. sh(1) cannot look for packages as Node does.
 *
 * Nothing is written in another user's package, or when the link leads somewhere.
 */
const { existsSync, renameSync, statSync, symlinkSync } = require('node:fs');
const path = require('node:path');

/** @param {string} top absolute path of the package */
exports.rememberNode = (top) => {
  const [node, init] = [path.join(top, '.node'), path.join(top, '.init')];
  const wanted = { node: !process.env.LAMELLA_NODE && !existsSync(node), init: !existsSync(init) };
  if (!wanted.node && !wanted.init) return;
  const own = process.geteuid();
  try {
    if (statSync(top).uid !== own) return;
    if (wanted.node) remember(node, process.execPath, process.execPath, own);
    if (wanted.init) {
      const manifest = require.resolve(`@lamella/init-linux-${process.arch}/package.json`, { paths: [top] });
      const binary = path.join(path.dirname(manifest), 'lamella-init');
      // Relative, so that the whole tree of packages can be moved.
      remember(init, binary, path.relative(top, binary), own);
    }
  } catch {
    // A package that cannot be written to (a read-only filesystem, a full disk) has its Node from PATH. A platform may have
    // no binary.
  }
};

/** Makes a link to a program of this user or of root. By a rename, for another process may do the same. */
function remember(link, program, target, own) {
  if (![0, own].includes(statSync(program).uid)) return;
  const made = `${link}-${process.pid}`;
  symlinkSync(target, made);
  renameSync(made, link);
}
