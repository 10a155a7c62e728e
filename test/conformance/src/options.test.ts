import { readdirSync } from 'node:fs';
import { Readable } from 'node:stream';
import * as cgroup from '@lamella/cgroup';
import * as cleanup from '@lamella/cleanup';
import * as engine from '@lamella/engine';
import * as image from '@lamella/image';
import * as namespace from '@lamella/namespace';
import * as oci from '@lamella/oci-runtime';
import * as overlay from '@lamella/overlay';
import * as seccomp from '@lamella/seccomp';
import * as syscall from '@lamella/syscall';
import { type ScratchDirectory, scratch } from '@lamella-test/scratch';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
// Its type alone is public: containers are made by Containers.
import { StoredContainer } from '../../../packages/engine/dist/api/stored-container.js';

/**
 * All public functions that take an object of options, each as something that hands it such an object. What is not an option is as it should be, so that
 * the first thing that is wrong is the options.
 */
type Call = (options: never) => unknown;
interface Taken {
  /** What has to be there. */
  readonly whole?: () => object;
  readonly call: Call;
  /** Some options of it, by which a wrong name is found again. */
  readonly known: readonly string[];
}

let at: ScratchDirectory;
beforeAll(() => {
  at = scratch();
});
afterAll(() => at[Symbol.asyncDispose]());

const root = (): string => at.join('store');
const store = (): image.ImageStore => new image.ImageStore(root());
const containers = (): engine.Containers => new engine.Containers(root());
/** One that is not there: whatever is asked of it fails, but its options first. */
const stored = (): StoredContainer =>
  new StoredContainer(root(), {
    id: 'none',
    image: 'none',
    args: [],
    spec: { image: 'none' },
    lowers: { trees: [], locks: [], diffIDs: [], config: { env: [], entrypoint: [], cmd: [] } },
  } as never);
const record = (): cleanup.ContainerRecord => ({ containers: at.join('none'), id: 'none' });
const slots = syscall.slotAllocator();
const spec = () => ({ root: root(), image: 'none', args: ['true'] });
const processSpec = () => ({ rootfs: at.join('none'), args: ['true'], env: { PATH: '/bin' } });
const log = { error: () => undefined, warn: () => undefined, debug: () => undefined };
const PROCESS = ['stdin', 'stdout', 'stderr', 'stdio', 'input', 'all', 'buffer', 'lines', 'maxBuffer', 'encoding', 'timeout', 'cancelSignal', 'killSignal'];
const OCI = { root: '/none', id: 'none', bundle: '/none', log };

const TAKEN: Readonly<Record<string, Taken>> = {
  'syscall start': { call: (options) => syscall.start([], options), known: ['stdio', 'signal', 'descriptors', 'onReply'] },
  'syscall run': { call: (options) => syscall.run([], options), known: ['stdio', 'signal', 'descriptors', 'onReply'] },
  'syscall runInUserNamespace': { call: (options) => syscall.runInUserNamespace([], options), known: ['stdio', 'signal'] },
  'syscall lockFile': { call: (options) => syscall.lockFile('/none/none', options), known: ['signal', 'create', 'shared'] },
  'syscall tryLockFile': { call: (options) => syscall.tryLockFile('/none/none', options), known: ['signal', 'create', 'shared'] },
  'syscall streamRegular': { call: (options) => syscall.streamRegular('/none/none', options), known: ['signal', 'highWaterMark', 'part'] },
  'syscall becomeFront': {
    whole: () => ({ title: 'x', stdin: false, explainer: ['a', 'b'], context: '' }),
    call: (options) => syscall.becomeFront([], options),
    known: ['title', 'stdin', 'explainer', 'context', 'left', 'onLast'],
  },
  'cleanup claim': { call: (options) => cleanup.claim(record(), [], slots, options), known: ['durable'] },
  'cleanup releaseDead': { call: (options) => cleanup.releaseDead(record(), options), known: ['keep'] },
  'cgroup planCgroup': {
    whole: () => ({ name: 'x', mount: '/none' }),
    call: (options) => cgroup.planCgroup({}, options, slots),
    known: ['name', 'mount', 'observe'],
  },
  'cgroup planCgroup (resources)': {
    call: (options) => cgroup.planCgroup(options, { name: 'x', mount: '/none' }, slots),
    known: ['memory', 'cpus', 'pidsLimit'],
  },
  'seccomp compileProfile': { call: (options) => seccomp.compileProfile(seccomp.DEFAULT_PROFILE, options), known: ['capabilities', 'kernel', 'compat'] },
  'seccomp applicableRules': { call: (options) => seccomp.applicableRules(seccomp.DEFAULT_PROFILE, options), known: ['capabilities', 'kernel', 'compat'] },
  'overlay changesOf': {
    call: (options) => overlay.changesOf({ upperdir: at.join('none'), lowerdirs: [at.join('none')] }, options).next(),
    known: ['otherNames'],
  },
  'overlay mountOverlay': {
    whole: () => ({ lowerdirs: [at.join('none')], merged: at.join('none') }),
    call: (options) => overlay.mountOverlay(options),
    known: ['lowerdirs', 'upperdir', 'workdir', 'merged', 'options', 'flags'],
  },
  'image applyLayer': { call: (options) => image.applyLayer(Readable.from([]), at.join('none'), options), known: ['signal', 'maxEntries', 'stacked'] },
  'image unpackDirectory': { call: (options) => image.unpackDirectory(at.join('none'), at.join('other'), options), known: ['signal', 'maxEntries'] },
  'image putFiles': { call: (options) => image.putFiles(Readable.from([]), at.join('none'), options), known: ['keepOwners'] },
  'image treeArchive': { call: (options) => image.treeArchive([], 'x', options).destroy(), known: ['layer', 'mtime'] },
  'image ImageStore.import': { call: (options) => store().import(at.join('none'), 'x', options), known: ['signal', 'onProgress', 'maxEntries'] },
  'image ImageStore.commit': { call: (options) => store().commit('sha256:0', [], 'x', options), known: ['message', 'author', 'changes', 'timestamp'] },
  'image ImageStore.load': { call: (options) => store().load(at.join('none'), options), known: ['signal', 'name', 'platform'] },
  'image ImageStore.importLocation': { call: (options) => store().importLocation('oci:/none', options), known: ['signal', 'onProgress'] },
  'image ImageStore.pull': { call: (options) => store().pull('127.0.0.1:1/none', options), known: ['signal', 'tlsVerify', 'credentials', 'platform'] },
  'image ImageStore.push': { call: (options) => store().push('127.0.0.1:1/none', options), known: ['signal', 'tlsVerify', 'credentials'] },
  'image ImageStore.resolve': { call: (options) => store().resolve('none', options), known: ['platform'] },
  'image ImageStore.check': { call: (options) => store().check(options), known: ['repair', 'quick', 'force'] },
  'namespace enter': { whole: processSpec, call: (options) => namespace.enter(options), known: ['args', 'rootfs', 'env', 'cwd', 'mounts', 'hostname', 'user'] },
  'namespace join': {
    whole: () => ({ args: ['true'], pid: 1, namespaces: {}, env: { PATH: '/bin' } }),
    call: (options) => namespace.join(options),
    known: ['args', 'pid', 'namespaces', 'cgroups', 'terminal'],
  },
  'namespace spawn': {
    whole: () => ({ ...processSpec(), rootfs: '/' }),
    call: (options) => namespace.spawn(options),
    known: ['args', 'rootfs', 'env', 'cwd', 'mounts'],
  },
  'namespace spawn (options)': { call: (options) => namespace.spawn({ ...processSpec(), rootfs: '/' }, options), known: PROCESS },
  'namespace launch': { call: (options) => namespace.launch([], ['true'], options).result, known: PROCESS },
  'engine run': { whole: spec, call: (options) => engine.run(options), known: ['image', 'args', 'env', 'volumes', 'network', 'publish', 'resources', 'init'] },
  'engine run (options)': { call: (options) => engine.run(spec(), options), known: [...PROCESS, 'onPull', 'onNote', 'onProgress'] },
  'engine createContainer': { whole: spec, call: (options) => engine.createContainer(options), known: ['image', 'args', 'env', 'volumes', 'network'] },
  'engine createContainer (options)': { call: (options) => engine.createContainer(spec(), options), known: PROCESS },
  'engine explainRun': { whole: spec, call: (options) => engine.explainRun(options), known: ['image', 'args', 'env', 'volumes', 'network'] },
  'engine explainRun (options)': { call: (options) => engine.explainRun(spec(), options), known: PROCESS },
  'engine pool': {
    whole: () => ({ root: root(), image: 'none' }),
    call: (options) => engine.pool(options),
    known: ['image', 'env', 'size', 'volumes', 'network'],
  },
  'engine Containers.create': {
    whole: () => ({ image: 'none' }),
    call: (options) => containers().create(options),
    known: ['image', 'args', 'name', 'remove', 'restart'],
  },
  'engine Containers.create (options)': { call: (options) => containers().create({ image: 'none' }, options), known: PROCESS },
  'engine Containers.run': {
    whole: () => ({ image: 'none' }),
    call: (options) => containers().run(options),
    known: ['image', 'args', 'name', 'remove', 'restart'],
  },
  'engine Containers.run (options)': { call: (options) => containers().run({ image: 'none' }, options), known: [...PROCESS, 'attach'] },
  'engine Containers.try': {
    whole: () => ({ args: ['/none/none'], name: '-', hide: ['none'] }),
    call: (options) => containers().try(options),
    known: ['args', 'hide', 'cwd', 'network'],
  },
  'engine Containers.try (options)': { call: (options) => containers().try({ args: ['/none/none'], hide: ['none'] }, options), known: PROCESS },
  'engine sweep': { call: (options) => engine.sweep(at.join('none'), options), known: ['kept'] },
  'engine checkContainers': { call: (options) => engine.checkContainers(at.join('none'), options), known: ['repair'] },
  'engine Containers.undoApply': { call: (options) => containers().undoApply('none', options), known: ['force', 'onKept', 'onForgotten'] },
  'engine Containers.events': {
    whole: () => ({ until: new Date(0) }),
    call: (options) => containers().events(options).next(),
    known: ['since', 'until', 'signal'],
  },
  'engine StoredContainer.start': { call: (options) => stored().start(options), known: ['attach', 'acceptSources'] },
  'engine StoredContainer.logs': { call: (options) => stored().logs(options).next(), known: ['follow', 'since', 'until', 'tail', 'signal'] },
  'engine StoredContainer.exec': {
    whole: () => ({ args: ['true'] }),
    call: (options) => stored().exec(options),
    known: ['args', 'env', 'cwd', 'user', 'privileged'],
  },
  'engine StoredContainer.exec (options)': { call: (options) => stored().exec({ args: ['true'] }, options), known: PROCESS },
  'engine StoredContainer.stop': { call: (options) => stored().stop(options), known: ['signal', 'timeout'] },
  'engine StoredContainer.wait': { call: (options) => stored().wait(options), known: ['signal'] },
  'engine StoredContainer.restart': { call: (options) => stored().restart(options), known: ['signal', 'timeout', 'acceptSources'] },
  'engine StoredContainer.remove': { call: (options) => stored().remove(options), known: ['force'] },
  'engine StoredContainer.copyIn': { call: (options) => stored().copyIn(Readable.from([]), '/', options), known: ['keepOwners'] },
  'engine StoredContainer.run': {
    whole: () => ({ args: ['true'] }),
    call: (options) => stored().run(options),
    known: ['args', 'env', 'cwd', 'user', 'network'],
  },
  'engine StoredContainer.run (options)': { call: (options) => stored().run({ args: ['true'] }, options), known: PROCESS },
  'engine StoredContainer.contents': { call: (options) => stored().contents([], options), known: ['limit'] },
  'engine StoredContainer.commit': { call: (options) => stored().commit('x', options), known: ['pause', 'message', 'author', 'changes'] },
  'engine StoredContainer.apply': { call: (options) => stored().apply(options), known: ['onConflict', 'select', 'dryRun'] },
  'oci-runtime create': { whole: () => OCI, call: (options) => oci.create(options), known: ['root', 'id', 'bundle', 'console', 'pidFile', 'noPivot'] },
  'oci-runtime execInContainer': {
    whole: () => ({
      root: '/none',
      id: 'none',
      log,
      processOf: () => undefined,
      preserved: { count: 0, listening: 0 },
      ignorePaused: false,
      cgroups: [],
      detach: true,
    }),
    call: (options) => oci.execInContainer(options),
    known: ['root', 'id', 'cgroups', 'detach'],
  },
  'oci-runtime makeLog': { whole: () => ({ format: 'text', debug: false }), call: (options) => oci.makeLog(options), known: ['file', 'format', 'debug'] },
};

/** Public functions without options, by what they take instead. */
const OTHERS: Readonly<Record<string, RegExp>> = {
  syscall: new RegExp(
    // Words, bytes, numbers, programs and what the package itself made.
    '^(bootId|ignoreMissing|mapCommands|callerCondition|observedReads|observeReads|unobserved|recordsDirectory|writeRecord|fillTemplate|templateOfProgram|templateOfText|FileMemory\\..*|bytesOf|textOf|decodeProgram|encodeProgram|flatten|errnoName|callsOf|explain|explainText|kindOf|holdPlace|jsonProblem|openRegular|openRegularSync' +
      '|readLines|readNamed|readNamedText|readOptionalText|readRegular|readRegularText|findProgram|canBecomeFront|outcomeOf|readFrontReport|idMapping|insideId' +
      '|isOwnUserNamespace|ownMountNamespace|ownUserNamespace|interpreterPath|connectMonitor|readMounts|openObject|openBeneath|openInRoot|openWithoutLinks|sameObject|slotAllocator|nearestName|optionReader|mountSetattr' +
      '|shapeOf|isOriginMark|isOverlayMark|isOwnAttribute|whiteoutFile|removeScratch|replyParser|startInterpreter|packSeen|seenOf|serve|servingProgram|unfitForUpper' +
      '|mapSingleId|FrameWriter\\..*|HeldFile\\..*|visible|visibleBytes|visibleJson|parseCompared|parseWalked|isTransient|writeAll|objectType|setRootIds|parseJson|isSealedText|sealText|shellWord)$',
  ),
  cleanup:
    /^(claimAgain|reclaim|formatJournal|parseJournal|controlOf|directoryOf|gateOf|journalOf|keptOf|lockOf|release|releaseContainer|releaseKept|claimsLeft|heldLocks|monitorOf|sweep)$/,
  cgroup:
    /^(canLimitByDefault|frozenFile|removableDirectories|cgroupVersion|wasOomKilled|cgroupStats|oomKills|cgroupsOf|setCgroupFrozen|isCgroupFrozen|joinCgroup|limitCgroup|limitDevicesV1|makeCgroup|placeCgroup|processesOf|removeCgroup|deviceProgram|deviceWrites|limitDevices|setFrozen|freezerDirectories|isFrozen|hierarchies|weightOfShares|writesV1|writesV2|cgroupOfScope|scopeOf|startScope|stopScope|unitProperties|updateScope|RESOURCES)$/,
  seccomp: /^(evaluate|checkProfile|parseProfile)$/,
  overlay:
    /^(diagnose|unsupportedUpper|hasLowerdirPlus|probeFeatures|findFuseOverlay|fuseOverlayAtExit|fuseOverlayFor|escapePath|optionString|inodeOf|originOf|methodFor|overlayDetached|overlayMount|openSides)$/,
  image:
    /^(isImageLocation|getFiles|unpackFiles|forgetCredentials|parseLoginPlace|formatPlatform|rankOf|familiarReference|formatReference|parseReference|shortReference|storeCredentials|hostPlatform|parsePlatform|sourceDateEpoch|historyOf|makeDirectory|ImageStore\.(save|tag|describe|usage|prune|list|remove|sweep))$/,
  namespace:
    /^(dropBounding|prctl|raiseAmbient|setrlimit|becomeRoot|loopbackUp|defaultNamespaces|withinOwn|inUserNamespace|confiningPlaceOf|confiningPlaces|explainFrontReport|launchHeld|PROCESS_OPTIONS|SIGNAL|ChunkLog\..*|WatchedPromise\..*|pump|lastOps|rootfsLines|openDevpts|takeTerminal|findUser|setCapabilities|mountStoppedRoot|normalizedPath|processEndOf)$/,
  engine:
    /^(recover|defaultRoot|logBounds|examine|becomeContainer|explainBecome|ImageStore\..*|Containers\.(get|list|removeDamaged|becomeRun)|StoredContainer\.(state|attach|becomeExec|kill|pause|unpause|rename|top|usage|copyOut|isDirectory|stat|follow|checkpoint|history|rollback|fork|squash|writableMounts|changes|export))$/,
  'oci-runtime':
    /^(main|deleteContainer|features|killContainer|signalNumber|listContainers|pauseContainer|defaultConfig|writeSpec|startContainer|updateContainer|defaultRoot|readStored|stateOf|statusOf)$/,
};

const PACKAGES: Readonly<Record<string, object>> = {
  syscall,
  cleanup,
  cgroup,
  seccomp,
  overlay,
  image,
  namespace,
  engine: { ...engine, StoredContainer },
  'oci-runtime': oci,
};

/** The names of the functions of a package, and of the methods of its classes. */
function functionsOf(of: object): string[] {
  return Object.entries(of).flatMap(([name, value]) => {
    if (typeof value !== 'function' || /Error$/.test(name)) return [];
    if (!/^class\b/.test(Function.prototype.toString.call(value))) return [name];
    const methods = Object.entries(Object.getOwnPropertyDescriptors(value.prototype as object));
    return methods.flatMap(([method, { value: own }]) => (typeof own === 'function' && method !== 'constructor' ? [`${name}.${method}`] : []));
  });
}

test.for(Object.keys(PACKAGES))('all functions of %s that take options are here', (name) => {
  const known = new Set(Object.keys(TAKEN).map((each) => each.replace(/ \(.*/, '')));
  const missing = functionsOf(PACKAGES[name] ?? {}).filter((each) => !known.has(`${name} ${each}`) && !OTHERS[name]?.test(each));
  expect(missing, 'a public function is new: give it a shape (packages/syscall/src/options), and add it above').toEqual([]);
});

/** What a call with some options fails with. */
async function failure(call: Call, options: unknown): Promise<{ readonly code?: string; readonly hint?: string; readonly message?: string } | undefined> {
  try {
    const given = await call(options as never);
    // A process that was started all the same.
    await (given as { result?: Promise<unknown> } | undefined)?.result;
    return undefined;
  } catch (error) {
    return error as { code?: string };
  }
}

const REFUSED = /^OPTION_(UNKNOWN|INVALID|MISSING)$/;

describe.for(Object.entries(TAKEN))('%s', ([, { whole = () => ({}), call, known }]) => {
  test('refuses what it does not know, and says what it knows', async () => {
    for (const key of known) {
      // Two letters exchanged, or one more.
      const wrong = key.length > 3 ? `${key.slice(0, 1)}${key[2]}${key[1]}${key.slice(3)}` : `${key}s`;
      if (known.includes(wrong) || wrong === key) continue;
      const error = await failure(call, { ...whole(), [wrong]: undefined });
      expect(error).toMatchObject({ code: 'OPTION_UNKNOWN', message: expect.stringContaining(`'${wrong}'`), hint: expect.stringContaining(key) });
    }
    for (const options of [Object.create({ nosuch: 1 }), { ...whole(), __proto__x: 1 }, { ...whole(), '\u001b[31m': 1 }]) {
      const error = await failure(call, options);
      expect(error?.code).toMatch(REFUSED);
      expect(error?.message).not.toContain('\u001b');
    }
  });

  test('refuses what are no options', async () => {
    for (const options of [null, 5, 'word', true, [], () => undefined, new Map(), Symbol('x'), 5n, new Date()])
      expect((await failure(call, options))?.code, String(options?.toString())).toMatch(REFUSED);
    const getter = Object.defineProperty({ ...whole() }, known[0] as string, {
      enumerable: true,
      get: () => {
        throw new TypeError('mine');
      },
    });
    expect((await failure(call, getter))?.code).toBe('OPTION_INVALID');
  });

  test('never fails by an error without a code, whatever a value is', async () => {
    const odd = fc.constantFrom<unknown>(
      null,
      Number.NaN,
      -1,
      -0,
      1.5,
      1e308,
      2 ** 31,
      2 ** 53,
      Number.POSITIVE_INFINITY,
      '',
      'nosuch',
      '\0',
      'a\0b',
      true,
      false,
      [],
      [null],
      [undefined],
      {},
      { nosuch: 1 },
      Symbol('x'),
      10n,
      new Map(),
      () => undefined,
      new Date(Number.NaN),
      Object.create(null),
      new Proxy({}, {}),
    );
    const property = fc.asyncProperty(fc.constantFrom(...known), odd, async (key, value) => {
      if (typeof value === 'function' && /^on|select|tee|processOf/.test(key)) return;
      const options = { ...whole(), [key]: value };
      // What could be valid is not to be done.
      if (isHarmless(key, value)) return;
      const error = await failure(call, options);
      if (error !== undefined) expect(error.code, `${key}: ${String(error)}`).toEqual(expect.any(String));
      if (error instanceof TypeError || error instanceof RangeError) throw error;
    });
    await fc.assert(property, { numRuns: process.env.LAMELLA_LONG ? 500 : 25 });
  });
});

/** Values that would be taken, of functions that then wait, or begin something. */
function isHarmless(key: string, value: unknown): boolean {
  return key === 'until' || key === 'input' || key === 'stdin' || (key === 'timeout' && typeof value === 'number' && value > 0);
}

test('nothing was begun by any of that', () => {
  expect(readdirSync(at.path).filter((name) => name !== 'store')).toEqual([]);
});
