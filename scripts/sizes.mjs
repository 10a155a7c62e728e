#!/usr/bin/env node
/**
 * What the published packages weigh. Without arguments: packs each and fails if one has grown past what scripts/sizes.json says.
 *
 *   node scripts/sizes.mjs [--installed] [--write]
 *
 * `--installed` also installs each into an empty folder by npm, with all that it depends on (it takes a minute). `--write` notes
 * the new sizes, in scripts/sizes.json and in the table of test/bench/README.md.
 */
import { spawnSync } from 'node:child_process';
import { lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const root = path.join(import.meta.dirname, '..');
const NOTED = path.join(root, 'scripts/sizes.json');
const TABLE = path.join(root, 'test/bench/README.md');
const [BEGIN, END] = ['<!-- sizes -->', '<!-- /sizes -->'];
/** Growth up to this factor passes: the packages that ours depend on change, too. */
const TOLERANCE = 1.1;
const measured = {};
const wantsInstalled = process.argv.includes('--installed');
const scratch = mkdtempSync(path.join(tmpdir(), 'lamella-sizes-'));

function run(command, args, cwd) {
  const { status, error, stdout, stderr } = spawnSync(command, args, { cwd, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} in ${cwd}: ${error?.message ?? stderr + stdout}`);
  return stdout;
}

/** Bytes of all files below a directory: not blocks, which are the filesystem's affair. */
function bytesBelow(directory) {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + lstatSync(path.join(entry.parentPath, entry.name)).size, 0);
}

/** Directories that are packages, those inside of others, too. */
function packagesIn(modules) {
  return readdirSync(modules, { recursive: true, withFileTypes: true }).filter(
    (entry) => entry.isDirectory() && /(?:^|\/)node_modules(?:\/@[^/]+)?$/.test(entry.parentPath) && !/^[@.]/.test(entry.name),
  ).length;
}

try {
  const tarballs = {};
  const directories = readdirSync(path.join(root, 'packages')).filter((name) => !name.startsWith('init-') || name === `init-linux-${process.arch}`);
  for (const directory of ['apps/cli', ...directories.map((name) => `packages/${name}`)]) {
    const said = run('pnpm', ['pack', '--json', '--pack-destination', scratch], path.join(root, directory));
    const { name, filename } = JSON.parse(said.slice(said.indexOf('{')));
    tarballs[name] = filename;
    measured[name] = { packed: statSync(filename).size };
  }
  for (const name of wantsInstalled ? Object.keys(tarballs) : []) {
    const place = path.join(scratch, name.replace('/', '-'));
    mkdirSync(place);
    const overrides = Object.fromEntries(Object.entries(tarballs).flatMap(([each, file]) => (each === name ? [] : [[each, `file:${file}`]])));
    writeFileSync(path.join(place, 'package.json'), JSON.stringify({ private: true, dependencies: { [name]: `file:${tarballs[name]}` }, overrides }));
    // A peer is the user's own, and there already.
    run('npm', ['install', '--no-audit', '--no-fund', '--no-package-lock', '--prefer-offline', '--ignore-scripts', '--legacy-peer-deps'], place);
    const modules = path.join(place, 'node_modules');
    measured[name] = { ...measured[name], installed: bytesBelow(modules), packages: packagesIn(modules) };
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

const noted = JSON.parse(readFileSync(NOTED, 'utf8'));
if (process.argv.includes('--write')) {
  const sizes = Object.fromEntries(Object.entries(measured).map(([name, size]) => [name, { ...noted[name], ...size }]));
  writeFileSync(NOTED, `${JSON.stringify(sizes, null, 2)}\n`);
  const of = (bytes) => (bytes === undefined ? '' : bytes < 1e6 ? `${Math.round(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`);
  const rows = Object.entries(sizes).map(([name, { packed, installed, packages }]) => `| \`${name}\` | ${of(packed)} | ${of(installed)} | ${packages ?? ''} |`);
  const table = ['| package | packed | installed, with all it needs | packages |', '| --- | --- | --- | --- |', ...rows].join('\n');
  const text = readFileSync(TABLE, 'utf8');
  writeFileSync(TABLE, `${text.slice(0, text.indexOf(BEGIN) + BEGIN.length)}\n\n${table}\n\n${text.slice(text.indexOf(END))}`);
  run('biome', ['format', '--write', TABLE, NOTED], root);
} else {
  const grown = Object.entries(measured).flatMap(([name, sizes]) =>
    Object.entries(sizes)
      .filter(([what, size]) => !(size <= (noted[name]?.[what] ?? 0) * TOLERANCE))
      .map(([what, size]) => `${name} has grown: ${what} ${noted[name]?.[what] ?? 0} -> ${size}`),
  );
  for (const line of grown) console.error(line);
  if (grown.length) {
    console.error('If that is worth it: node scripts/bootstrap.mjs exec node scripts/sizes.mjs --installed --write');
    process.exit(1);
  }
}
