import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { RunSpec } from '@lamella/engine';

/** Run a spec in a separate Node, whose interpreter is another program (LAMELLA_INIT). */
export async function traced(interpreter: string, spec: RunSpec): Promise<void> {
  const script = `import { run } from '@lamella/engine'; await run(${JSON.stringify(spec)});`;
  await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], {
    cwd: import.meta.dirname,
    env: { ...process.env, LAMELLA_INIT: interpreter },
  });
}
