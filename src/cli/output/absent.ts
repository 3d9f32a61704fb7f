/** In templates an empty map or list like any other; in JSON null, as Go writes one that was never made. */
const nil = <T extends object>(value: T): T =>
  Object.defineProperty(value, "toJSON", { value: () => null, enumerable: false });

const KINDS: readonly (readonly [value: unknown, names: string])[] = [
  [
    null,
    "ConfigFrom GraphDriver Health Healthcheck IPAMConfig ImageManifestDescriptor Init Metadata PidsLimit SizeRootFs SizeRw StopTimeout UsageData",
  ],
  ["", "Comment Driver Error MacAddress Name Parent Runtime StopSignal"],
  [false, "NetworkDisabled"],
  [nil({}), "Annotations ExposedPorts Labels Options Status StorageOpt Sysctls Tmpfs Volumes"],
  [nil([]), "DNSNames Env Mounts OnBuild Shell"],
];

/** What the daemon leaves out of an object when it has nothing to say, by field: what that field then is for a template. */
export const ABSENT: ReadonlyMap<string, unknown> = new Map(
  KINDS.flatMap(([value, names]) => names.split(" ").map((name) => [name, value] as const)),
);
