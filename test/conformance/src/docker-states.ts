/** What a container does before a command. */
export type State = 'created' | 'running' | 'paused' | 'exited';

/** Whether a command succeeds, and what the container does then: as Docker has it. */
export type Outcome = readonly [succeeds: boolean, after: State | 'gone'];

/** The words of a command; the container's name replaces {}, or comes last. */
export const COMMANDS = [
  'start',
  'stop -t 0',
  'restart -t 0',
  'kill',
  'kill -s TERM',
  'pause',
  'unpause',
  'rm',
  'rm -f',
  'exec {} true',
  'top',
  'logs',
  'port',
  'inspect',
  'rename {} {}-new',
] as const;

const [YES, NO] = [true, false];

/** In the order of {@link COMMANDS}. */
export const STATES: Readonly<Record<State, readonly Outcome[]>> = {
  created: [
    [YES, 'running'],
    [YES, 'created'],
    [YES, 'running'],
    [NO, 'created'],
    [NO, 'created'],
    [NO, 'created'],
    [NO, 'created'],
    [YES, 'gone'],
    [YES, 'gone'],
    [NO, 'created'],
    [NO, 'created'],
    [YES, 'created'],
    [YES, 'created'],
    [YES, 'created'],
    [YES, 'created'],
  ],
  running: [
    [YES, 'running'],
    [YES, 'exited'],
    [YES, 'running'],
    [YES, 'exited'],
    [YES, 'exited'],
    [YES, 'paused'],
    [NO, 'running'],
    [NO, 'running'],
    [YES, 'gone'],
    [YES, 'running'],
    [YES, 'running'],
    [YES, 'running'],
    [YES, 'running'],
    [YES, 'running'],
    [YES, 'running'],
  ],
  paused: [
    [NO, 'paused'],
    [YES, 'exited'],
    [YES, 'running'],
    [YES, 'exited'],
    [YES, 'exited'],
    [NO, 'paused'],
    [YES, 'running'],
    [NO, 'paused'],
    [YES, 'gone'],
    [NO, 'paused'],
    [YES, 'paused'],
    [YES, 'paused'],
    [YES, 'paused'],
    [YES, 'paused'],
    [YES, 'paused'],
  ],
  exited: [
    [YES, 'running'],
    [YES, 'exited'],
    [YES, 'running'],
    [NO, 'exited'],
    [NO, 'exited'],
    [NO, 'exited'],
    [NO, 'exited'],
    [YES, 'gone'],
    [YES, 'gone'],
    [NO, 'exited'],
    [NO, 'exited'],
    [YES, 'exited'],
    [YES, 'exited'],
    [YES, 'exited'],
    [YES, 'exited'],
  ],
};

/** A command that ends when it is asked to, and in its first life only when there is a file. */
export const SCRIPT = "trap 'exit 3' TERM; [ -e /second ] || { touch /second; [ ! $1 ] || exit 3; }; while :; do sleep 0.05; done";
