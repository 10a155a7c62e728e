import { writeSync } from 'node:fs';
import { type RunSpec, run } from '@lamella/engine';
import { type Cell, type Sources, specOf } from './mount-cells.js';

/** The input of {@link walk}, as JSON on the command line. */
export interface Walk {
  readonly root: string;
  /** Of every run. */
  readonly spec: Pick<RunSpec, 'userns' | 'readonlyRoot' | 'network' | 'workspace'>;
  /** The image of cells without a volume of the image, and the images of the others by destination. */
  readonly image: string;
  readonly images: Readonly<Record<string, string>>;
  readonly sources: Sources;
  readonly cells: readonly Cell[];
}

/** The result of a cell: what its probe wrote, or the error code of the run. */
export interface Walked {
  readonly out?: string;
  readonly code?: string;
  readonly message?: string;
}

/** Reads what is mounted and masked, and opens (and no more) what is not to be written to. */
const PROBE = `cut -d" " -f5- /proc/self/mountinfo | sed "s/^/mount /"
for f in kcore keys latency_stats timer_list sched_debug interrupts; do
  test -e /proc/$f && echo "file /proc/$f $(head -c 1 /proc/$f 2>&- | wc -c)"
done
for d in /proc/acpi /proc/asound /proc/scsi /sys/firmware /sys/devices/virtual/powercap; do
  test -d $d && echo "directory $d $(ls -A $d 2>&- | wc -l)"
done
for f in sys/kernel/core_pattern sys/kernel/modprobe sys/vm/swappiness sysrq-trigger irq/default_smp_affinity bus/pci/00/00.0; do
  test -e /proc/$f && (: >>/proc/$f) 2>&- && echo "writable /proc/$f"
done
echo ended`;

/** Runs a container for each cell, one after the other in this process, and writes what became of it as a line of JSON. */
async function walk({ root, spec, image, images, sources, cells }: Walk): Promise<void> {
  for (const cell of cells) {
    let walked: Walked;
    try {
      const { stdout, stderr } = await run(
        {
          image: (cell.kind === 'volume of the image' && images[cell.destination]) || image,
          root,
          args: ['sh', '-c', PROBE],
          ...spec,
          ...specOf(cell, sources),
        },
        { stdio: ['ignore', 'pipe', 'pipe'] },
      );
      walked = { out: `${stdout}\n${stderr}` };
    } catch (error) {
      walked = { code: String((error as { code?: unknown }).code), message: (error as Error).message };
    }
    writeSync(1, `${JSON.stringify(walked)}\n`);
  }
}

if (process.argv[2] !== undefined) await walk(JSON.parse(process.argv[2]) as Walk);
