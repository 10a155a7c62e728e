import * as v from 'valibot';

/**
 * The schema of `config.json` on Linux (OCI runtime-spec 1.3, config.md and config-linux.md). Unknown properties are
 * ignored (config.md, "Extensibility"). `readConfig` removes nulls first.
 */
const Text = v.pipe(
  v.string(),
  v.check((text) => !text.includes('\0'), 'contains a NUL byte'),
);
const Texts = v.optional(v.array(Text));
/** Beyond 2^53 a nearby number is enough: such limits are never reached. */
const Whole = v.union([v.pipe(v.number(), v.integer('is not an integer')), v.pipe(v.bigint(), v.transform(Number))], 'is not an integer');
const Unsigned = v.pipe(Whole, v.minValue(0, 'is less than 0'));
const Id = v.pipe(Unsigned, v.maxValue(0xffffffff, 'is more than 4294967295'));
/** The id of a process. The highest number means "no id" (setresuid(2)). */
const ProcessId = v.pipe(Unsigned, v.maxValue(0xfffffffe, 'is more than 4294967294'));
const Bool = v.optional(v.boolean());
const Absolute = v.pipe(
  Text,
  v.check((path) => path.startsWith('/'), 'is not an absolute path'),
);
const StringMap = v.optional(v.record(v.string(), v.string()));

const IdMap = v.looseObject({ containerID: Id, hostID: Id, size: Id });
const IdMaps = v.optional(v.array(IdMap));

const User = v.looseObject({
  uid: v.optional(ProcessId),
  gid: v.optional(ProcessId),
  umask: v.optional(v.pipe(Unsigned, v.maxValue(0o7777))),
  additionalGids: v.optional(v.array(ProcessId)),
});
const Capabilities = v.looseObject({ bounding: Texts, effective: Texts, inheritable: Texts, permitted: Texts, ambient: Texts });
const Limit = v.union([v.bigint(), v.pipe(v.number(), v.integer(), v.minValue(0))], 'is not an integer of at least 0');
const Rlimit = v.looseObject({ type: Text, soft: Limit, hard: Limit });
const Scheduler = v.looseObject({
  policy: Text,
  nice: v.optional(Whole),
  priority: v.optional(Whole),
  flags: Texts,
  runtime: v.optional(Unsigned),
  deadline: v.optional(Unsigned),
  period: v.optional(Unsigned),
});
const IoPriority = v.looseObject({ class: Text, priority: v.optional(Whole) });
const Affinity = v.looseObject({ initial: v.optional(Text), final: v.optional(Text) });

/** `process`, and the file of `exec --process`. */
export const Process = v.looseObject({
  terminal: Bool,
  consoleSize: v.optional(v.looseObject({ height: Unsigned, width: Unsigned })),
  user: v.optional(User),
  args: Texts,
  env: Texts,
  cwd: Absolute,
  capabilities: v.optional(Capabilities),
  rlimits: v.optional(v.array(Rlimit)),
  noNewPrivileges: Bool,
  apparmorProfile: v.optional(Text),
  oomScoreAdj: v.optional(v.pipe(Whole, v.minValue(-1000), v.maxValue(1000))),
  selinuxLabel: v.optional(Text),
  scheduler: v.optional(Scheduler),
  ioPriority: v.optional(IoPriority),
  execCPUAffinity: v.optional(Affinity),
});

const Mount = v.looseObject({
  destination: Text,
  type: v.optional(Text),
  source: v.optional(Text),
  options: Texts,
  uidMappings: IdMaps,
  gidMappings: IdMaps,
});

const Hook = v.looseObject({
  path: Absolute,
  args: Texts,
  env: Texts,
  timeout: v.optional(v.pipe(Whole, v.minValue(1, 'is not greater than 0'))),
});
const Hooks = v.optional(v.array(Hook));

const Namespace = v.looseObject({
  type: v.picklist(['pid', 'network', 'mount', 'ipc', 'uts', 'user', 'cgroup', 'time'], 'is not a namespace type'),
  path: v.optional(Text),
});

const Device = v.looseObject({
  path: Absolute,
  type: v.picklist(['c', 'b', 'u', 'p'], 'is not a device type: use c, b, u or p'),
  major: v.optional(Unsigned),
  minor: v.optional(Unsigned),
  fileMode: v.optional(Id),
  uid: v.optional(Id),
  gid: v.optional(Id),
});

const DeviceRule = v.looseObject({
  allow: Bool,
  type: v.optional(v.picklist(['', 'a', 'b', 'c', 'u', 'p'], 'is not a device type: use a, b or c')),
  major: v.optional(Whole),
  minor: v.optional(Whole),
  access: v.optional(v.pipe(v.string(), v.regex(/^[rwma]*$/, 'must consist of r, w and m'))),
});
const WeightDevice = v.looseObject({ major: Whole, minor: Whole, weight: v.optional(Unsigned), leafWeight: v.optional(Unsigned) });
const ThrottleDevice = v.looseObject({ major: Whole, minor: Whole, rate: Unsigned });
const Throttles = v.optional(v.array(ThrottleDevice));

/** `linux.resources`, and the file of `update --resources`. */
export const Resources = v.looseObject({
  devices: v.optional(v.array(DeviceRule)),
  memory: v.optional(
    v.looseObject({
      limit: v.optional(Whole),
      reservation: v.optional(Whole),
      swap: v.optional(Whole),
      kernel: v.optional(Whole),
      kernelTCP: v.optional(Whole),
      swappiness: v.optional(Unsigned),
      disableOOMKiller: Bool,
      useHierarchy: Bool,
      checkBeforeUpdate: Bool,
    }),
  ),
  cpu: v.optional(
    v.looseObject({
      shares: v.optional(Unsigned),
      quota: v.optional(Whole),
      burst: v.optional(Unsigned),
      period: v.optional(Unsigned),
      realtimeRuntime: v.optional(Whole),
      realtimePeriod: v.optional(Unsigned),
      cpus: v.optional(Text),
      mems: v.optional(Text),
      idle: v.optional(Whole),
    }),
  ),
  pids: v.optional(v.looseObject({ limit: v.optional(Whole) })),
  blockIO: v.optional(
    v.looseObject({
      weight: v.optional(Unsigned),
      leafWeight: v.optional(Unsigned),
      weightDevice: v.optional(v.array(WeightDevice)),
      throttleReadBpsDevice: Throttles,
      throttleWriteBpsDevice: Throttles,
      throttleReadIOPSDevice: Throttles,
      throttleWriteIOPSDevice: Throttles,
    }),
  ),
  hugepageLimits: v.optional(v.array(v.looseObject({ pageSize: Text, limit: Unsigned }))),
  network: v.optional(v.looseObject({ classID: v.optional(Id), priorities: v.optional(v.array(v.looseObject({ name: Text, priority: Id }))) })),
  rdma: v.optional(v.record(v.string(), v.looseObject({ hcaHandles: v.optional(Id), hcaObjects: v.optional(Id) }))),
  unified: StringMap,
});

const Linux = v.looseObject({
  uidMappings: IdMaps,
  gidMappings: IdMaps,
  timeOffsets: v.optional(v.record(v.picklist(['monotonic', 'boottime']), v.looseObject({ secs: v.optional(Whole), nanosecs: v.optional(Unsigned) }))),
  sysctl: StringMap,
  resources: v.optional(Resources),
  cgroupsPath: v.optional(Text),
  namespaces: v.optional(v.array(Namespace)),
  devices: v.optional(v.array(Device)),
  netDevices: v.optional(v.record(v.string(), v.looseObject({ name: v.optional(Text) }))),
  // @lamella/seccomp parses it, with the precision that its arguments need.
  seccomp: v.optional(v.looseObject({ listenerPath: v.optional(Text), listenerMetadata: v.optional(v.string()) })),
  rootfsPropagation: v.optional(
    v.picklist(['', 'shared', 'slave', 'private', 'unbindable', 'rshared', 'rslave', 'rprivate', 'runbindable'], 'is not a propagation type'),
  ),
  maskedPaths: Texts,
  readonlyPaths: Texts,
  mountLabel: v.optional(Text),
  intelRdt: v.optional(
    v.looseObject({ closID: v.optional(Text), l3CacheSchema: v.optional(Text), memBwSchema: v.optional(Text), schemata: Texts, enableMonitoring: Bool }),
  ),
  personality: v.optional(v.looseObject({ domain: v.picklist(['LINUX', 'LINUX32'], 'is not an execution domain: use LINUX or LINUX32'), flags: Texts })),
  memoryPolicy: v.optional(v.looseObject({ mode: Text, nodes: v.optional(Text), flags: Texts })),
});

export const Config = v.looseObject({
  ociVersion: v.pipe(v.string(), v.regex(/^\d+\.\d+\.\d+(?:-[\w.-]+)?(?:\+[\w.-]+)?$/, 'is not a version of the form 1.2.0')),
  process: v.optional(Process),
  root: v.looseObject({ path: Text, readonly: Bool }),
  hostname: v.optional(Text),
  domainname: v.optional(Text),
  mounts: v.optional(v.array(Mount)),
  hooks: v.optional(v.looseObject({ prestart: Hooks, createRuntime: Hooks, createContainer: Hooks, startContainer: Hooks, poststart: Hooks, poststop: Hooks })),
  annotations: StringMap,
  linux: v.optional(Linux),
});

/** `config.json` of a bundle (OCI runtime-spec, config.md). */
export type OciConfig = v.InferOutput<typeof Config>;
/** `process` of it. */
export type OciProcess = v.InferOutput<typeof Process>;
/** `linux.resources` of it (config-linux.md). */
export type OciResources = v.InferOutput<typeof Resources>;
export type OciLinux = v.InferOutput<typeof Linux>;
export type OciMount = v.InferOutput<typeof Mount>;
export type OciHook = v.InferOutput<typeof Hook>;
export type OciDevice = v.InferOutput<typeof Device>;
export type OciIdMap = v.InferOutput<typeof IdMap>;
export type NamespaceType = v.InferOutput<typeof Namespace>['type'];
