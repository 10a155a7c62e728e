import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';

export const checkout: string = path.join(import.meta.dirname, '../../..');

/** Tarballs by the names of their packages. */
export type Tarballs = ReadonlyMap<string, string>;

/** Packs every package that is published, except the other platform's binary, as `pnpm publish` would. */
export function packAll(into: string): Tarballs {
  const packages = readdirSync(path.join(checkout, 'packages')).filter((name) => !name.startsWith('init-') || name === `init-linux-${process.arch}`);
  return new Map(
    ['apps/cli', ...packages.map((name) => `packages/${name}`)]
      .filter((directory) => existsSync(path.join(checkout, directory, 'package.json')))
      .map((directory) => {
        const said = execFileSync('pnpm', ['pack', '--json', '--pack-destination', into], { cwd: path.join(checkout, directory), encoding: 'utf8' });
        const packed = JSON.parse(said.slice(said.indexOf('{'))) as { name: string; filename: string };
        return [packed.name, packed.filename] as const;
      }),
  );
}

/**
 * An empty project that depends on these, in pnpm's strict layout; what they need of ours comes from tarballs, too.
 *
 * @param dependencies versions, or absolute paths of tarballs
 */
export function installPacked(directory: string, tarballs: Tarballs, dependencies: Readonly<Record<string, string>>): void {
  mkdirSync(directory, { recursive: true });
  const of = ([name, version]: readonly [string, string]): [string, string] => [name, version.startsWith('/') ? `file:${version}` : version];
  const own = Object.fromEntries(Object.entries(dependencies).map(of));
  writeFileSync(path.join(directory, 'package.json'), JSON.stringify({ private: true, type: 'module', dependencies: own }));
  // The other platform's binary is nowhere to be had before it is published.
  const overrides = Object.fromEntries([...tarballs].map(of));
  for (const arch of ['x64', 'arm64']) overrides[`@lamella/init-linux-${arch}`] = overrides[`@lamella/init-linux-${process.arch}`] ?? '';
  writeFileSync(path.join(directory, 'pnpm-workspace.yaml'), `overrides: ${JSON.stringify(overrides)}\nstrictDepBuilds: false\n`);
  execFileSync('pnpm', ['install', '--prefer-offline', '--silent'], { cwd: directory, stdio: ['ignore', 'inherit', 'inherit'] });
}

/** The blocks of code in a language. */
export function blocks(markdown: string, language: string): string[] {
  return [...markdown.matchAll(new RegExp(`\`\`\`${language}\\n(.*?)\`\`\``, 'gs'))].map(([, code = '']) => code);
}
