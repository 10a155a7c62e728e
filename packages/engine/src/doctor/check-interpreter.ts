import { interpreterPath, run } from '@lamella/syscall';
import { explained, type Finding } from './finding.js';

export async function checkInterpreter(): Promise<Finding> {
  try {
    const { values } = await run([{ op: 'umask', mask: 0o22, reply: true }]);
    if (!values.size) return { subject: 'interpreter', state: 'broken', detail: `${interpreterPath()} does nothing`, remedy: 'Unset LAMELLA_INIT.' };
    return { subject: 'interpreter', state: 'ok', detail: interpreterPath() };
  } catch (error) {
    return { subject: 'interpreter', state: 'broken', ...explained(error) };
  }
}
