// CommonJS, and as little of it as possible, because engines wait for it.
const [major] = process.versions.node.split('.');
if (Number(major) < 24) {
  process.stderr.write(`lamella-oci: Node ${process.versions.node} is not supported: install Node 24 or later\n`);
  process.exit(1);
}
require('../dist/compile-cache.cjs');
require('../dist/remember-node.cjs').rememberNode(require('node:path').dirname(__dirname));
const { main, restoreArguments } = require('../dist/entry/lamella-oci.cjs');
main(restoreArguments('lamella-oci', 1)).then((status) => process.exit(status));
