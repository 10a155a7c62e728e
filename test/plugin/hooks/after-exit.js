import { appendFileSync } from 'node:fs';

export default async function afterExit({ exitCode }) {
  appendFileSync(process.env.EXAMPLE_LOG, `after_exit ${exitCode}\n`);
}
