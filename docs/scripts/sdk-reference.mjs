import { existsSync, globSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Application, Converter } from 'typedoc';
import { undocumented } from './undocumented.mjs';

const PACKAGES = ['engine', 'vitest', 'image', 'overlay', 'namespace', 'cleanup', 'cgroup', 'seccomp', 'syscall', 'oci-runtime'];

/** Writes a page for each package: what its `src/index.ts` exports, from types and doc comments. */
export async function sdkReference(root, into) {
  const application = await Application.bootstrapWithPlugins({
    entryPoints: PACKAGES.map((name) => path.join(root, `packages/${name}/src/index.ts`)).filter((file) => existsSync(file)),
    tsconfig: path.join(root, 'docs/tsconfig.json'),
    plugin: ['typedoc-plugin-markdown'],
    router: 'module',
    out: into,
    readme: 'none',
    // Types are checked by the build, with another version of TypeScript.
    skipErrorChecking: true,
    excludeExternals: true,
    excludePrivate: true,
    excludeInternal: true,
    disableSources: true,
    hideBreadcrumbs: true,
    hidePageHeader: true,
    useCodeBlocks: true,
    useHTMLEncodedBrackets: true,
    sanitizeComments: true,
    parametersFormat: 'table',
    interfacePropertiesFormat: 'table',
    typeDeclarationFormat: 'table',
    logLevel: 'Error',
  });
  // A module is called by the package, not by its file.
  application.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    for (const module of project.children ?? []) module.name = module.name.replace('/src', '');
  });
  const project = await application.convert();
  if (!project) throw new Error('typedoc could not read the sources of the packages');
  const missing = undocumented(project);
  if (missing.length) throw new Error(`these exports have no doc comment:\n${missing.join('\n')}`);
  await application.generateOutputs(project);
  if (application.logger.hasErrors()) throw new Error('typedoc reported errors');
  mendAnchors(into);
}

/**
 * typedoc-plugin-markdown numbers the anchor of a type when a variable has the same name apart from underscores. Headings have no such number, so the
 * links would lead nowhere.
 */
function mendAnchors(directory) {
  const files = globSync('**/*.md', { cwd: directory }).map((file) => path.join(directory, file));
  const texts = new Map(files.map((file) => [file, readFileSync(file, 'utf8')]));
  const anchors = new Map(
    [...texts].map(([file, text]) => [file, new Set([...text.matchAll(/^#+ (.*)$/gm)].map(([, title]) => title.toLowerCase().replace(/[^\w]/g, '')))]),
  );
  for (const [file, text] of texts) {
    const mended = text.replace(/\]\(([^)#]*)#([\w]+)-1\)/g, (link, target, anchor) => {
      const known = anchors.get(target ? path.resolve(path.dirname(file), target) : file);
      return known?.has(anchor) && !hasTwice(texts.get(target ? path.resolve(path.dirname(file), target) : file) ?? '', anchor)
        ? `](${target}#${anchor})`
        : link;
    });
    if (mended !== text) writeFileSync(file, mended);
  }
}

function hasTwice(text, anchor) {
  return [...text.matchAll(/^#+ (.*)$/gm)].filter(([, title]) => title.toLowerCase().replace(/[^\w]/g, '') === anchor).length > 1;
}
