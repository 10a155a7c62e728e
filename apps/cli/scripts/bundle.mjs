/**
 * The commands that are typed all day in two CommonJS files, with no more in them than they need: Node
 * starts that fastest from its compile cache. What is rarely needed stays where it is, and is loaded when
 * it is.
 */
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { build } from 'esbuild';

const root = path.join(import.meta.dirname, '..');
const require = createRequire(import.meta.url);
const FAR = 'far:';

/**
 * oclif's modules require each other at their top, and so its parser brings its help, its spinners
 * and a TypeScript loader. Here each is loaded when something of it is used, which in a run that
 * works is never.
 */
const lazyRequires = {
  name: 'lazy-requires',
  setup({ onLoad }) {
    onLoad({ filter: /@oclif[/\\]core[/\\]lib[/\\].*\.js$/ }, async ({ path: file }) => {
      const source = await readFile(file, 'utf8');
      const lib = file.slice(0, file.lastIndexOf('/lib/') + 5);
      const contents = source.replace(/^(?:const|var) (\w+) = ((?:[\w.]+\()?)require\("([^"]+)"\)(\)?);$/gm, (_, name, wrap, wanted, end) => {
        const target = wanted.startsWith('.') ? path.join(path.dirname(file), wanted).slice(lib.length) : '';
        // Help and its like are not even in the bundle.
        const load = /^(?:help|ux|config|cache|module-loader|logger|performance|settings|util\/(?:fs|read-tsconfig))(?:\/|$)/.test(target)
          ? `__far("@oclif/core", "${target}")`
          : `require("${wanted}")`;
        return `const ${name} = __lazy(() => ${wrap}${load}${end});`;
      });
      return { contents, loader: 'js' };
    });
  },
};

/** Modules of ours that are imported dynamically stay in their packages, but for those that a bundle has use for. */
const farImports = (inside) => ({
  name: 'far-imports',
  setup({ onResolve }) {
    onResolve({ filter: /^\.|^@lamella\// }, async ({ path: wanted, kind, resolveDir }) => {
      if (kind !== 'dynamic-import') return undefined;
      if (!wanted.startsWith('.')) return { path: `${FAR}${wanted}/`, external: true };
      const file = path.join(resolveDir, wanted);
      if (inside.test(file)) return undefined;
      const { name } = JSON.parse(await readFile(path.join(file.slice(0, file.lastIndexOf('/dist/')), 'package.json'), 'utf8'));
      return { path: `${FAR}${name}/${file.slice(file.lastIndexOf('/dist/') + 6)}`, external: true };
    });
  },
});

/** Modules of Node's that take a while to load, and that a container of an image which is there needs nothing of. */
const SLOW =
  /(\bimport_\w+)=(require\("node:(?:crypto|zlib|child_process|net|stream|stream\/promises|timers\/promises|tty|readline|readline\/promises)"\)|require\("node:fs"\)\.promises)/g;
/** Of a built-in module esbuild copies every property, wherever it is imported as a whole. */
const WHOLE = /(\bimport_\w+)=__toESM\((require\("node:[\w/]+"\))(?:,1)?\)/g;

/** The same without the copies, where nothing else of it is used. */
function asDefault(text) {
  return text.replaceAll(WHOLE, (all, name, load) => (new RegExp(`\\b${name}\\.(?!default\\b)`).test(text) ? all : `${name}={default:${load}}`));
}

const PRELUDE = `"use strict";
const __path = require("node:path");
/** Where a file of a package's is, beside its entry. */
const __place = (name, file) => name === "lamella" ? __path.join(__dirname, file) : file ? __path.join(__path.dirname(require.resolve(name)), file) : require.resolve(name);
/** As performance.now(), which takes half a millisecond to be loaded. */
const __now = () => Number(process.hrtime.bigint()) / 1e6;
// Whoever comes to node:fs/promises by itself finds it as ownWords has left it, once it has been asked for so.
const __kept = () => require("node:fs").promises;
const __far = (name, file) => (__kept(), require(__place(name, file)));
const __import = (name, file) => (__kept(), import("file://" + encodeURI(__place(name, file))));
/** Stands for a module's exports until one is asked for. */
function __lazy(load) {
  let exports;
  return new Proxy(function () {}, {
    get: (_, name) => Reflect.get(exports ??= load(), name),
    has: (_, name) => Reflect.has(exports ??= load(), name),
    apply: (_, self, args) => Reflect.apply(exports ??= load(), self, args),
    construct: (_, args) => Reflect.construct(exports ??= load(), args),
  });
}`;

const common = {
  outdir: path.join(root, 'dist'),
  outExtension: { '.js': '.cjs' },
  bundle: true,
  write: false,
  platform: 'node',
  target: 'node24',
  format: 'cjs',
  external: ['cli-progress'],
  banner: { js: PRELUDE },
  define: { 'performance.now': '__now', 'import.meta.dirname': '__dirname', 'import.meta.url': '__filename' },
  minifySyntax: true,
  minifyWhitespace: true,
  legalComments: 'none',
  logLevel: 'warning',
};
const NOTHING = /^$/;
const built = await Promise.all(
  [
    // What a run has no use for is not read with it.
    { entryPoints: { run: path.join(root, 'dist/fast/run-bundle.js') }, inside: NOTHING },
    {
      entryPoints: { container: path.join(root, 'dist/fast/container-bundle.js') },
      inside: /\/engine\/dist\/(?:apply\/|branches\/|containers\/|host-)/,
    },
    // For all other commands.
    { entryPoints: { 'own-words': require.resolve('@lamella/syscall/own-words') }, inside: NOTHING },
  ].map(({ entryPoints, inside }) => build({ ...common, entryPoints, plugins: [lazyRequires, farImports(inside)] })),
);
for (const bundle of built.flatMap(({ outputFiles }) => outputFiles)) {
  const text = asDefault(bundle.text)
    .replaceAll('require("node:fs/promises")', 'require("node:fs").promises')
    .replaceAll(SLOW, '$1=__lazy(()=>$2)')
    .replaceAll(/import\("far:((?:@[^/]+\/)?[^/]+)\/([^"]*)"\)/g, '__import("$1","$2")');
  await writeFile(bundle.path, text);
}

// Found without a look at any package.json.
for (const name of ['compile-cache', 'remember-node']) await copyFile(require.resolve(`@lamella/syscall/${name}`), path.join(root, `dist/${name}.cjs`));

/** bin/lamella.cjs knows which command is in which bundle without loading any: the two have to agree. */
const { BUNDLES } = require('../bin/bundles.cjs');
for (const [name, commands] of Object.entries(BUNDLES)) {
  const { COMMANDS } = require(path.join(root, 'dist', `${name}.cjs`));
  const inside = Object.keys(COMMANDS).sort().join(' ');
  if (inside !== [...commands].sort().join(' ')) throw new Error(`bin/bundles.cjs is wrong of ${name}: that bundle has ${inside}`);
}
