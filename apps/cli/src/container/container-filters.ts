import type { ContainerState } from '@lamella/engine';
import { ImageStore } from '@lamella/image';
import { type Filters, filtersOf, hasLabels, oneOf, pattern } from '../command-line/filters.js';
import { parseInteger } from '../command-line/go-values.js';
import { UsageError } from '../errors/usage-error.js';
import { exitStatusOf } from '../output/exit-status.js';
import { labelsOf } from './container-row.js';

const KEYS = ['ancestor', 'before', 'exited', 'expose', 'health', 'id', 'label', 'name', 'network', 'publish', 'since', 'status', 'volume'];
const STATUSES = ['created', 'running', 'paused', 'restarting', 'removing', 'exited', 'dead'];

type Test = (state: ContainerState) => boolean;

export interface ContainerFilters {
  /** Whether stopped containers are included. */
  readonly ofAll: boolean;
  /** Returns the matching containers. @throws UsageError for an unknown container */
  apply(all: readonly ContainerState[]): Promise<readonly ContainerState[]>;
}

/** Parses `ps --filter` as Docker does. @throws UsageError */
export function containerFilters(words: readonly string[] | undefined, root: string): ContainerFilters {
  const filters = filtersOf(words, KEYS);
  const tests = Object.entries(TESTS).flatMap(([key, test]) => {
    const values = filters.get(key);
    return values ? [test(values)] : [];
  });
  return {
    ofAll: ['status', 'exited', 'before', 'since'].some((key) => filters.has(key)),
    async apply(all) {
      const dynamic = [...order(filters, all), ...(await ancestors(filters.get('ancestor'), root))];
      return all.filter((state) => [...tests, ...dynamic].every((test) => test(state)));
    },
  };
}

/** Filters that need only the container, by key. Each takes all values of its key. */
const TESTS: Readonly<Record<string, (values: readonly string[]) => Test>> = {
  id: (values) => {
    const patterns = values.map(pattern);
    return ({ id }) => patterns.some((each) => each.test(id));
  },
  name: (values) => {
    const patterns = values.map(pattern);
    // Docker's names begin with a slash, so a pattern may have one.
    return ({ name }) => name !== undefined && patterns.some((each) => each.test(name) || each.test(`/${name}`));
  },
  label: (values) => (state) => hasLabels(labelsOf(state), values),
  status: (values) => {
    const wanted = oneOf('status', values, STATUSES);
    return ({ status }) => wanted.includes(status);
  },
  exited: (values) => {
    const codes = values.map((each) => {
      const code = parseInteger(each);
      if (code === undefined) throw new UsageError(`invalid exit code '${each}'`, 'Use a number, such as --filter exited=0.');
      return code;
    });
    return (state) => state.status === 'exited' && codes.includes(exitStatusOf(state));
  },
  health: (values) => {
    const wanted = oneOf('health', values, ['starting', 'healthy', 'unhealthy', 'none']);
    // Health checks are not supported.
    return () => wanted.includes('none');
  },
  network:
    (values) =>
    ({ config }) =>
      values.includes(config.spec.network ?? 'none'),
  volume:
    (values) =>
    ({ config: { spec } }) =>
      [
        ...(spec.volumes ?? []).flatMap(({ source, destination }) => [source, destination]),
        ...(spec.tmpfs ?? []).map(({ destination }) => destination),
        ...(spec.anonymousVolumes ?? []),
      ].some((each) => values.includes(each)),
  publish: (values) => {
    const wanted = values.map(portRange);
    return ({ config }) => (config.spec.publish ?? []).some(({ containerPort, protocol }) => wanted.some((each) => each(containerPort, protocol)));
  },
  expose: (values) => {
    const wanted = values.map(portRange);
    return ({ config }) =>
      (config.lowers.config.exposedPorts ?? []).some((exposed) => {
        const [port = '', protocol = 'tcp'] = exposed.split('/');
        return wanted.some((each) => each(Number(port), protocol));
      });
  },
};

/** Parses `80`, `80/udp` or `8000-8080/tcp`. */
function portRange(text: string): (port: number, protocol: string) => boolean {
  const [, first = '', last = first, wanted = 'tcp'] = /^(\d{1,5})(?:-(\d{1,5}))?(?:\/(tcp|udp|sctp))?$/.exec(text) ?? [];
  if (first === '' || Number(last) > 65_535 || Number(first) > Number(last)) throw new UsageError(`invalid port '${text}'`, 'Use 80, 53/udp or 8000-8080.');
  return (port, protocol) => port >= Number(first) && port <= Number(last) && protocol === wanted;
}

/** Returns the tests for the filters `before` and `since`. */
function order(filters: Filters, all: readonly ContainerState[]): Test[] {
  const times = (key: string): string[] =>
    (filters.get(key) ?? []).map((reference) => {
      const found = all.find(({ name, id }) => name === reference || id === reference) ?? all.find(({ id }) => reference && id.startsWith(reference));
      if (!found) throw new UsageError(`no such container for the filter ${key}: ${reference}`, 'List the containers: lamella ps -a');
      return found.config.created;
    });
  const [before, since] = [times('before'), times('since')];
  return [({ config }) => before.every((time) => config.created < time) && since.every((time) => config.created > time)];
}

/** Returns the tests for the filter `ancestor`: containers of an image, or of an image based on it. */
async function ancestors(values: readonly string[] | undefined, root: string): Promise<Test[]> {
  if (!values) return [];
  const store = new ImageStore(root);
  const all = await store.list();
  const images = await Promise.all(
    values.map(async (value) => {
      const digest = /^(?:sha256:)?([0-9a-f]{4,64})$/.exec(value)?.[1];
      const byId = digest === undefined ? undefined : all.find((each) => each.digest.startsWith(`sha256:${digest}`));
      if (byId) return { value, digest: byId.digest, layers: byId.layers };
      try {
        const found = await store.describe(value);
        return { value, digest: found.digest, layers: found.layers.map(({ diffID }) => diffID) };
      } catch (error) {
        // The image may have been removed: containers still have its name.
        if (['IMAGE_NOT_FOUND', 'REFERENCE_INVALID'].includes((error as { code?: string }).code ?? '')) return { value, digest: undefined, layers: [] };
        throw error;
      }
    }),
  );
  return [
    ({ config: { image, lowers } }) =>
      images.some(({ value, digest, layers }) => {
        if (digest === undefined) return image === value || image === `${value}:latest` || isBeginning(lowers.digest, value);
        const own = lowers.diffIDs.toReversed();
        return lowers.digest === digest || (own.length > layers.length && layers.every((layer, i) => own[i] === layer));
      }),
  ];
}

function isBeginning(digest: string | undefined, value: string): boolean {
  return digest !== undefined && /^(?:sha256:)?[0-9a-f]{4,64}$/.test(value) && digest.startsWith(`sha256:${value.replace(/^sha256:/, '')}`);
}
