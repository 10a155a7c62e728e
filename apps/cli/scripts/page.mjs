/** Copies the files of the page of `changes --web` that need no compiler. */
import { cp } from 'node:fs/promises';
import path from 'node:path';

const root = path.join(import.meta.dirname, '..');
for (const file of ['index.html', 'style.css']) await cp(path.join(root, 'page', file), path.join(root, 'dist/page', file));
