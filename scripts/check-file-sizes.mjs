#!/usr/bin/env node
/** Refuses source files of more than 400 lines: they have more than one purpose. Tests and tables (`.def`) may be longer. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

const root = path.join(import.meta.dirname, '..');
const MOST = 400;
const SOURCE = /\.(?:[cm]?[jt]s|[ch]|css|html)$/;
const TEST = /\.test(?:\.cases)?\.ts$/;

const lines = (file) => readFileSync(path.join(root, file), 'utf8').split('\n').length - 1;
const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], { cwd: root, encoding: 'utf8' })
  .split('\n')
  .filter((file) => SOURCE.test(file) && !TEST.test(file) && existsSync(path.join(root, file)));
const long = files.filter((file) => lines(file) > MOST);
const problems = long.map((file) => `${file} has ${lines(file)} lines, and ${MOST} are the most. Split it by its ideas.`);
for (const problem of problems) console.error(problem);
if (problems.length) process.exit(1);
