import type { ContainerState } from '@lamella/engine';
import { knownStatusOf } from '../output/exit-status.js';
import { ago, duration } from '../output/units.js';

/** Returns the status of a container as `ps` shows it. */
export function formatStatus(state: ContainerState, now: Date = new Date()): string {
  const { status, startedAt, finishedAt, oomKilled, reason } = state;
  const up = (): string => `Up ${duration(now.getTime() - (startedAt ?? now).getTime())}`;
  switch (status) {
    case 'created':
      return 'Created';
    case 'running':
      return up();
    case 'paused':
      return `${up()} (Paused)`;
    case 'restarting':
      return `Restarting (${knownStatusOf(state)}) ${finishedAt ? ago(finishedAt, now) : ''}`.trimEnd();
    case 'exited':
      return `Exited (${knownStatusOf(state)}) ${finishedAt ? ago(finishedAt, now) : ''}${oomKilled ? ', out of memory' : ''}`;
    case 'dead':
      return reason === 'reboot' ? 'Dead (host restarted)' : 'Dead (monitor killed)';
  }
}
