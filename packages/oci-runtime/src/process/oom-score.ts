import { writeFileSync } from 'node:fs';
import { OciError } from '../errors/oci-error.js';
import { isInitialRoot } from '../host/initial-root.js';

/** Sets `process.oomScoreAdj` of a process. @throws OciError `OOM_SCORE_FAILED` */
export function setOomScore(pid: number, score: number): void {
  try {
    writeFileSync(`/proc/${pid}/oom_score_adj`, String(score));
  } catch (cause) {
    // Ordinary users cannot go below their own score, but podman asks for it anyway.
    if (!isInitialRoot() && (cause as NodeJS.ErrnoException).code === 'EACCES') return;
    throw new OciError({
      code: 'OOM_SCORE_FAILED',
      message: `process.oomScoreAdj: cannot set ${score}: ${(cause as Error).message}`,
      hint: "A score below the caller's requires CAP_SYS_RESOURCE.",
      cause,
    });
  }
}
