import { existsSync } from 'node:fs';
import path from 'node:path';
import { Application, Converter } from 'typedoc';

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
  await application.generateOutputs(project);
  if (application.logger.hasErrors()) throw new Error('typedoc reported errors');
}
