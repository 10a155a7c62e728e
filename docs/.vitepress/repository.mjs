/** Leads links of our Markdown to where their target is: a page of the site, or a file of the repository. */
import { existsSync, statSync } from 'node:fs';
import path from 'node:path';

export const ROOT = path.join(import.meta.dirname, '../..');
export const REPOSITORY = 'https://github.com/lamella/lamella';

/** What the site shows of the repository, beside `docs/`. */
const PAGES = ['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md', 'test/README.md', 'test/bench/README.md'];
const isPage = (file) => PAGES.includes(file) || (file.startsWith('docs/') && file.endsWith('.md')) || /^(?:packages|apps)\/[\w-]+\/README\.md$/.test(file);

/** @param {string} page path of a Markdown file in the repository */
export function resolveLink(page, href) {
  if (/^(?:[a-z]+:|#|\/)/.test(href)) return href;
  const [target = '', anchor] = href.split('#');
  let file = path.posix.normalize(path.posix.join(path.posix.dirname(page), decodeURI(target)));
  const found = path.join(ROOT, file);
  if (!existsSync(found)) throw new Error(`${page}: the link ${href} leads nowhere`);
  const isDirectory = statSync(found).isDirectory();
  if (isDirectory && isPage(`${file.replace(/\/$/, '')}/README.md`)) file = `${file.replace(/\/$/, '')}/README.md`;
  const end = anchor === undefined ? '' : `#${anchor}`;
  if (isPage(file)) return `/${file.replace(/(?:^|(?<=\/))README\.md$/, '').replace(/\.md$/, '')}${end}`;
  if (file.endsWith('.png')) return href;
  return `${REPOSITORY}/${isDirectory ? 'tree' : 'blob'}/main/${file}${end}`;
}
