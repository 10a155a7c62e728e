#!/usr/bin/env node
/** Write packages/seccomp/src/default-filter.ts anew, after the default profile or the default capabilities changed. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { DEFAULT_CAPABILITIES } from '../packages/namespace/dist/index.js';
import { compileProfile, DEFAULT_PROFILE } from '../packages/seccomp/dist/index.js';

const base64 = (architecture) => Buffer.from(compileProfile(DEFAULT_PROFILE, { architecture, capabilities: DEFAULT_CAPABILITIES }).filter).toString('base64');
const entry = (architecture) => `  ${architecture}: Buffer.from(\n    '${base64(architecture)}',\n    'base64',\n  ),`;
const text = `/**
 * The default profile, compiled for the default capabilities on any kernel since 4.8, by Node's name
 * of the architecture: most containers start with it, and need no compiler for that. Written by
 * scripts/default-filter.mjs; a test of @lamella/engine holds it against the profile.
 */
export const DEFAULT_FILTERS: Readonly<Record<string, Uint8Array>> = {
${entry('x64')}
${entry('arm64')}
};
`;
writeFileSync(path.join(import.meta.dirname, '../packages/seccomp/src/default-filter.ts'), text);
