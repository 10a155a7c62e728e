import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { defineConfig } from 'vitepress';
import { REPOSITORY, ROOT, resolveLink } from './repository.mjs';

/** The pages of a folder, by the titles that they begin with. */
function pagesOf(folder) {
  return readdirSync(path.join(ROOT, folder))
    .filter((name) => name.endsWith('.md') && name !== 'README.md' && name !== 'index.md')
    .map((name) => {
      const [, title = name] = /^# (.*)$/m.exec(readFileSync(path.join(ROOT, folder, name), 'utf8')) ?? [];
      return { text: title.replace(/`/g, ''), link: `/${folder}/${name.replace(/\.md$/, '')}` };
    })
    .sort((a, b) => (a.text < b.text ? -1 : 1));
}

const packages = ['engine', 'vitest', 'oci-runtime', 'plugin-oci', 'image', 'overlay', 'namespace', 'cleanup', 'cgroup', 'seccomp', 'syscall'];

/** Three layers. */
const ICON = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16" fill="#3451b2">${[2, 7, 12].map((y) => `<rect x="1" y="${y}" width="14" height="3" rx="1"/>`).join('')}</svg>`;
const slug = (heading) =>
  heading
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{M}\p{N}\p{Pc}\- ]/gu, '')
    .replaceAll(' ', '-');

export default defineConfig({
  title: 'Lamella',
  description: 'Containers for Node.js on Linux, without a daemon',
  lang: 'en',
  srcDir: '..',
  srcExclude: [
    'node_modules/**',
    '.toolchain/**',
    '.changeset/**',
    '.github/**',
    'test/{conformance,e2e,faults,machine,plugin,scratch,tree}/**',
    'packages/init-*/**',
    '**/node_modules/**',
    '**/dist/**',
  ],
  outDir: './.vitepress/dist',
  cacheDir: './.vitepress/cache',
  rewrites: { 'README.md': 'index.md', ':folder(.*)/README.md': ':folder/index.md' },
  cleanUrls: true,
  lastUpdated: false,
  // Pages are outside of this package, where Vue is not found.
  vite: { resolve: { alias: { vue: path.dirname(createRequire(import.meta.url).resolve('vue/package.json')) } } },
  head: [['link', { rel: 'icon', type: 'image/svg+xml', href: `data:image/svg+xml,${encodeURIComponent(ICON)}` }]],
  markdown: {
    // Headings have the same ids as on GitHub, which shows the same files.
    anchor: { slugify: slug },
    config(md) {
      // Templates of Go have braces, which Vue would take for its own.
      const inline = md.renderer.rules.code_inline;
      md.renderer.rules.code_inline = (...args) => inline(...args).replace('<code', '<code v-pre');
      md.core.ruler.push('repository-links', (state) => {
        const page =
          state.env?.relativePath === undefined
            ? undefined
            : path.posix.normalize(state.env.realPath ? path.relative(ROOT, state.env.realPath) : state.env.relativePath);
        if (page === undefined) return;
        for (const token of state.tokens)
          for (const each of token.children ?? []) if (each.type === 'link_open') each.attrSet('href', resolveLink(page, each.attrGet('href') ?? ''));
      });
    },
  },
  themeConfig: {
    nav: [
      { text: 'Guides', link: '/docs/' },
      { text: 'CLI', link: '/docs/reference/cli/' },
      { text: 'SDK', link: '/docs/reference/sdk/engine' },
      { text: 'Internals', link: '/ARCHITECTURE' },
    ],
    sidebar: [
      {
        text: 'Lamella',
        items: [
          { text: 'Overview', link: '/' },
          { text: 'Find your task', link: '/docs/' },
        ],
      },
      { text: 'Guides', items: pagesOf('docs/guides') },
      { text: 'Commands', collapsed: true, items: [{ text: 'All commands', link: '/docs/reference/cli/' }, ...pagesOf('docs/reference/cli')] },
      { text: 'SDK', collapsed: true, items: pagesOf('docs/reference/sdk') },
      { text: 'Reference', items: pagesOf('docs/reference') },
      {
        text: 'Packages',
        collapsed: true,
        items: [{ text: 'lamella', link: '/apps/cli/' }, ...packages.map((name) => ({ text: `@lamella/${name}`, link: `/packages/${name}/` }))],
      },
      {
        text: 'Internals',
        items: [
          { text: 'Architecture', link: '/ARCHITECTURE' },
          ...pagesOf('docs/internals'),
          { text: 'Security', link: '/SECURITY' },
          { text: 'Contributing', link: '/CONTRIBUTING' },
          { text: 'Tests', link: '/test/' },
          { text: 'Benchmarks', link: '/test/bench/' },
        ],
      },
    ],
    outline: [2, 3],
    search: { provider: 'local' },
    socialLinks: [{ icon: 'github', link: REPOSITORY }],
  },
});
