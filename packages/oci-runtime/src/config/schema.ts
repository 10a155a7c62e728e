import * as v from 'valibot';

/**
 * The shape of `config.json` (OCI runtime-spec 1.3, config.md and config-linux.md), as far as Linux goes. Unknown
 * properties are passed over (config.md, "Extensibility"). There is no null in it: see `readConfig`.
 */
const { optional } = v;
const Text = v.pipe(
  v.string(),
  v.check((text) => !text.includes('\0'), 'has a NUL byte inside'),
);
const Texts = optional(v.array(Text));
/** Beyond 2^53, where only "more than anybody has" is meant, a number near it does. */
const Whole = v.union([v.pipe(v.number(), v.integer('is not a whole number')), v.pipe(v.bigint(), v.transform(Number))], 'is not a whole number');
const Unsigned = v.pipe(Whole, v.minValue(0, 'is less than 0'));
const Id = v.pipe(Unsigned, v.maxValue(0xffffffff, 'is more than 4294967295'));
const Bool = optional(v.boolean());
const Absolute = v.pipe(
  Text,
  v.check((path) => path.startsWith('/'), 'is not an absolute path'),
);
const StringMap = optional(v.record(v.string(), v.string()));

const IdMap = v.looseObject({ containerID: Id, hostID: Id, size: Id });
const IdMaps = optional(v.array(IdMap));

const User = v.looseObject({
  uid: optional(Id),
  gid: optional(Id),
  umask: optional(v.pipe(Unsigned, v.maxValue(0o7777))),
  additionalGids: optional(v.array(Id)),
});
const Capabilities = v.looseObject({ bounding: Texts, effective: Texts, inheritable: Texts, permitted: Texts, ambient: Texts });
const Limit = v.union([v.bigint(), v.pipe(v.number(), v.integer(), v.minValue(0))], 'is not a whole number from 0 on');
const Rlimit = v.looseObject({ type: Text, soft: Limit, hard: Limit });
const Scheduler = v.looseObject({
  policy: Text,
  nice: optional(Whole),
  priority: optional(Whole),
  flags: Texts,
  runtime: optional(Unsigned),
  deadline: optional(Unsigned),
  period: optional(Unsigned),
});
const IoPriority = v.looseObject({ class: Text, priority: optional(Whole) });
const Affinity = v.looseObject({ initial: optional(Text), final: optional(Text) });

/** What `process` is, and what `exec --process` reads. */
export const Process = v.looseObject({
  terminal: Bool,
  consoleSize: optional(v.looseObject({ height: Unsigned, width: Unsigned })),
  user: optional(User),
  args: Texts,
  env: Texts,
  cwd: Absolute,
  capabilities: optional(Capabilities),
  rlimits: optional(v.array(Rlimit)),
  noNewPrivileges: Bool,
  apparmorProfile: optional(Text),
  oomScoreAdj: optional(v.pipe(Whole, v.minValue(-1000), v.maxValue(1000))),
  selinuxLabel: optional(Text),
  scheduler: optional(Scheduler),
  ioPriority: optional(IoPriority),
  execCPUAffinity: optional(Affinity),
});

const Mount = v.looseObject({
  destination: Text,
  type: optional(Text),
  source: optional(Text),
  options: Texts,
  uidMappings: IdMaps,
  gidMappings: IdMaps,
});

const Hook = v.looseObject({
  path: Absolute,
  args: Texts,
  env: Texts,
  timeout: optional(v.pipe(Whole, v.minValue(1, 'is not greater than 0'))),
});
const Hooks = optional(v.array(Hook));

const Namespace = v.looseObject({
  type: v.picklist(['pid', 'network', 'mount', 'ipc', 'uts', 'user', 'cgroup', 'time'], 'is no kind of namespace'),
  path: optional(Text),
});

const Device = v.looseObject({
  path: Absolute,
  type: v.picklist(['c', 'b', 'u', 'p'], 'is no type of device: c, b, u or p'),
  major: optional(Unsigned),
  minor: optional(Unsigned),
  fileMode: optional(Id),
  uid: optional(Id),
  gid: optional(Id),
});

const DeviceRule = v.looseObject({
  allow: Bool,
  type: optional(v.picklist(['', 'a', 'b', 'c', 'u', 'p'], 'is no type of device: a, b or c')),
  major: optional(Whole),
  minor: optional(Whole),
  access: optional(v.pipe(v.string(), v.regex(/^[rwma]*$/, 'is not made of r, w and m'))),
});
const WeightDevice = v.looseObject({ major: Whole, minor: Whole, weight: optional(Unsigned), leafWeight: optional(Unsigned) });
const ThrottleDevice = v.looseObject({ major: Whole, minor: Whole, rate: Unsigned });
const Throttles = optional(v.array(ThrottleDevice));

/** `linux.resources`, and what `update --resources` reads. */
export const Resources = v.looseObject({
  devices: optional(v.array(DeviceRule)),
  memory: optional(
    v.looseObject({
      limit: optional(Whole),
      reservation: optional(Whole),
      swap: optional(Whole),
      kernel: optional(Whole),
      kernelTCP: optional(Whole),
      swappiness: optional(Unsigned),
      disableOOMKiller: Bool,
      useHierarchy: Bool,
      checkBeforeUpdate: Bool,
    }),
  ),
  cpu: optional(
    v.looseObject({
      shares: optional(Unsigned),
      quota: optional(Whole),
      burst: optional(Unsigned),
      period: optional(Unsigned),
      realtimeRuntime: optional(Whole),
      realtimePeriod: optional(Unsigned),
      cpus: optional(Text),
      mems: optional(Text),
      idle: optional(Whole),
    }),
  ),
  pids: optional(v.looseObject({ limit: optional(Whole) })),
  blockIO: optional(
    v.looseObject({
      weight: optional(Unsigned),
      leafWeight: optional(Unsigned),
      weightDevice: optional(v.array(WeightDevice)),
      throttleReadBpsDevice: Throttles,
      throttleWriteBpsDevice: Throttles,
      throttleReadIOPSDevice: Throttles,
      throttleWriteIOPSDevice: Throttles,
    }),
  ),
  hugepageLimits: optional(v.array(v.looseObject({ pageSize: Text, limit: Unsigned }))),
  network: optional(v.looseObject({ classID: optional(Id), priorities: optional(v.array(v.looseObject({ name: Text, priority: Id }))) })),
  rdma: optional(v.record(v.string(), v.looseObject({ hcaHandles: optional(Id), hcaObjects: optional(Id) }))),
  unified: StringMap,
});

const Linux = v.looseObject({
  uidMappings: IdMaps,
  gidMappings: IdMaps,
  timeOffsets: optional(v.record(v.picklist(['monotonic', 'boottime']), v.looseObject({ secs: optional(Whole), nanosecs: optional(Unsigned) }))),
  sysctl: StringMap,
  resources: optional(Resources),
  cgroupsPath: optional(Text),
  namespaces: optional(v.array(Namespace)),
  devices: optional(v.array(Device)),
  netDevices: optional(v.record(v.string(), v.looseObject({ name: optional(Text) }))),
  // Its own package reads it, with the precision that its arguments need.
  seccomp: optional(v.looseObject({ listenerPath: optional(Text), listenerMetadata: optional(v.string()) })),
  rootfsPropagation: optional(
    v.picklist(['', 'shared', 'slave', 'private', 'unbindable', 'rshared', 'rslave', 'rprivate', 'runbindable'], 'is no kind of propagation'),
  ),
  maskedPaths: Texts,
  readonlyPaths: Texts,
  mountLabel: optional(Text),
  intelRdt: optional(v.looseObject({ closID: optional(Text), l3CacheSchema: optional(Text), memBwSchema: optional(Text) })),
  personality: optional(v.looseObject({ domain: v.picklist(['LINUX', 'LINUX32'], 'is no execution domain: LINUX or LINUX32'), flags: Texts })),
  memoryPolicy: optional(v.looseObject({ mode: Text, nodes: optional(Text), flags: Texts })),
});

export const Config = v.looseObject({
  ociVersion: v.pipe(v.string(), v.regex(/^\d+\.\d+\.\d+(?:-[\w.-]+)?(?:\+[\w.-]+)?$/, 'is not a version of the form 1.2.0')),
  process: optional(Process),
  root: v.looseObject({ path: Text, readonly: Bool }),
  hostname: optional(Text),
  domainname: optional(Text),
  mounts: optional(v.array(Mount)),
  hooks: optional(v.looseObject({ prestart: Hooks, createRuntime: Hooks, createContainer: Hooks, startContainer: Hooks, poststart: Hooks, poststop: Hooks })),
  annotations: StringMap,
  linux: optional(Linux),
});

export type OciConfig = v.InferOutput<typeof Config>;
export type OciProcess = v.InferOutput<typeof Process>;
export type OciResources = v.InferOutput<typeof Resources>;
export type OciLinux = v.InferOutput<typeof Linux>;
export type OciMount = v.InferOutput<typeof Mount>;
export type OciHook = v.InferOutput<typeof Hook>;
export type OciDevice = v.InferOutput<typeof Device>;
export type OciDeviceRule = v.InferOutput<typeof DeviceRule>;
export type OciIdMap = v.InferOutput<typeof IdMap>;
export type OciNamespace = v.InferOutput<typeof Namespace>;
export type NamespaceType = OciNamespace['type'];
