/**
 * Bundles the frequent commands into CommonJS files, which Node starts fastest from its compile cache.
 * Rarely needed modules are not bundled, and are loaded on demand.
 */
import { existsSync } from 'node:fs';
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { build } from 'esbuild';
import { recordBundles } from '../../../scripts/bundle-list.mjs';

const root = path.join(import.meta.dirname, '..');
const require = createRequire(import.meta.url);
const FAR = 'far:';

/**
 * oclif's modules require each other at the top, so its parser loads its help, its spinners and a
 * TypeScript loader. This plugin makes them lazy: a successful command loads none of them.
 */
const lazyRequires = {
  name: 'lazy-requires',
  setup({ onLoad }) {
    onLoad({ filter: /@oclif[/\\]core[/\\]lib[/\\].*\.js$/ }, async ({ path: file }) => {
      const source = await readFile(file, 'utf8');
      const lib = file.slice(0, file.lastIndexOf('/lib/') + 5);
      const contents = withoutStart(file, source).replace(
        /^(?:const|var) (\w+) = ((?:[\w.]+\()?)require\("([^"]+)"\)(\)?);$/gm,
        (_, name, wrap, wanted, end) => {
          const target = wanted.startsWith('.') ? path.join(path.dirname(file), wanted).slice(lib.length) : '';
          // Help and similar modules are not bundled at all.
          const load = /^(?:help|ux|config|cache|module-loader|logger|performance|settings|util\/(?:fs|read-tsconfig))(?:\/|$)/.test(target)
            ? `__far("@oclif/core", "${target}")`
            : `require("${wanted}")`;
          return `const ${name} = __lazy(() => ${wrap}${load}${end});`;
        },
      );
      return { contents, loader: 'js' };
    });
  },
};

/** What oclif's class of commands loads at its start: a reader of package.json, the logger of debug(1), and its help for deprecated commands. */
const COMMAND_START = [
  [`const pjson = cache_1.default.getInstance().get('@oclif/core');`, () => `const pjson = ${JSON.stringify(oclif)};`],
  ['this.debug = (0, logger_1.makeDebug)(', () => 'this.debug = (() => () => undefined)('],
  [
    'this.warnIfCommandDeprecated();',
    () => 'if (this.ctor.state || this.ctor.deprecationOptions || this.ctor.deprecateAliases) this.warnIfCommandDeprecated();',
  ],
];
const { name, version } = require('@oclif/core/package.json');
const oclif = { name, version };

function withoutStart(file, source) {
  if (!file.endsWith('/lib/command.js')) return source;
  return COMMAND_START.reduce((text, [before, after]) => {
    if (text.split(before).length !== 2) throw new Error(`${file} has not once: ${before}`);
    return text.replace(before, after);
  }, source);
}

/** Keeps dynamically imported modules in their packages, except those that a bundle always needs. */
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

/** Modules of Node that load slowly, and that a run of a local image does not need. */
const SLOW =
  /(\bimport_\w+)=(require\("node:(?:crypto|zlib|child_process|net|stream|stream\/promises|timers\/promises|tty|readline|readline\/promises)"\)|require\("node:fs"\)\.promises)/g;
/** esbuild copies every property of a built-in module that is imported as a whole. */
const WHOLE = /(\bimport_\w+)=__toESM\((require\("node:[\w/]+"\))(?:,1)?\)/g;

/** Removes those copies if only the default import is used. */
function asDefault(text) {
  return text.replaceAll(WHOLE, (all, name, load) => (new RegExp(`\\b${name}\\.(?!default\\b)`).test(text) ? all : `${name}={default:${load}}`));
}

const PRELUDE = `"use strict";
const __path = require("node:path");
/** Returns the path of a file beside the entry of a package. */
const __place = (name, file) => name === "lamella" ? __path.join(__dirname, file) : file ? __path.join(__path.dirname(require.resolve(name)), file) : require.resolve(name);
/** As performance.now(), which takes half a millisecond to be loaded. */
const __now = () => Number(process.hrtime.bigint()) / 1e6;
// After this access other modules get node:fs/promises as restoreArguments has changed it.
const __kept = () => require("node:fs").promises;
const __far = (name, file) => (__kept(), require(__place(name, file)));
const __import = (name, file) => (__kept(), import("file://" + encodeURI(__place(name, file))));
/** Returns a proxy that loads a module at the first access. */
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
/** Matches modules of the engine, which have to be there: a module that was moved would be loaded on demand, which takes long. */
function inEngine(...places) {
  const dist = path.join(path.dirname(require.resolve('@lamella/engine/package.json')), 'dist');
  for (const place of places) if (!existsSync(path.join(dist, place.endsWith('/') ? place : `${place}.js`))) throw new Error(`the engine has no ${place}`);
  return new RegExp(`/engine/dist/(?:${places.join('|')})`);
}
const built = await Promise.all(
  [
    // Modules that a run does not need are not bundled.
    { entryPoints: { run: path.join(root, 'dist/fast/run-bundle.js') }, inside: NOTHING },
    {
      entryPoints: { container: path.join(root, 'dist/fast/container-bundle.js') },
      inside: inEngine('changes/', 'checkpoints/', 'lifecycle/', 'filesystem/host/', 'run/changing-host'),
    },
    {
      entryPoints: { try: path.join(root, 'dist/fast/try-bundle.js') },
      inside: inEngine('changes/apply/conflicts/', 'filesystem/host/', 'run/changing-host', 'run/explain-try-failure'),
    },
    // For all other commands.
    { entryPoints: { 'restore-arguments': require.resolve('@lamella/syscall/restore-arguments') }, inside: NOTHING },
  ].map(({ entryPoints, inside }) => build({ ...common, entryPoints, plugins: [lazyRequires, farImports(inside)] })),
);
for (const bundle of built.flatMap(({ outputFiles }) => outputFiles)) {
  const text = asDefault(bundle.text)
    .replaceAll('require("node:fs/promises")', 'require("node:fs").promises')
    .replaceAll(SLOW, '$1=__lazy(()=>$2)')
    .replaceAll(/import\("far:((?:@[^/]+\/)?[^/]+)\/([^"]*)"\)/g, '__import("$1","$2")');
  await writeFile(bundle.path, text);
}

// Copied, so that the commands find them without reading a package.json.
const copies = ['compile-cache', 'remember-node'].map((name) => ({
  from: require.resolve(`@lamella/syscall/${name}`),
  to: path.join(root, `dist/${name}.cjs`),
}));
for (const { from, to } of copies) await copyFile(from, to);

recordBundles(root, [...built.flatMap(({ outputFiles }) => outputFiles.map(({ path }) => path)), ...copies.map(({ to }) => to)]);

/** bin/lamella.cjs chooses a bundle by bin/bundles.cjs, so both must agree. */
const { BUNDLES } = require('../bin/bundles.cjs');
for (const [name, commands] of Object.entries(BUNDLES)) {
  const { COMMANDS } = require(path.join(root, 'dist', `${name}.cjs`));
  const inside = Object.keys(COMMANDS).sort().join(' ');
  if (inside !== [...commands].sort().join(' ')) throw new Error(`bin/bundles.cjs does not match the bundle ${name}, which has ${inside}`);
}
