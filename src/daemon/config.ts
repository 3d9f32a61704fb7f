import { existsSync, readFileSync } from "node:fs";
import { z } from "zod";
import { API_VERSION, compareVersions, MINIMUM_API_VERSION } from "#api";
import { didYouMean, Fault, sentenceOf } from "#errors";
import type { LogLevel } from "#host";
import { checkLog, LOG_DRIVERS } from "#jobs";
import { sha256 } from "#oci";
import { CERTIFICATE_FOLDERS } from "#registry";
import { CONTAINER_VALUES } from "./container-values.ts";
import { readFlags } from "./flags.ts";
import { GARBAGE } from "./garbage-values.ts";
import { NETWORK_VALUES } from "./network-values.ts";
import { refusal } from "./refused.ts";
import { REGISTRY_VALUES } from "./registry-values.ts";
import { checkDefaultRuntime } from "./runtime-values.ts";
import { SETTINGS, type SettingKey } from "./settings.ts";
import { STORAGE_OPTIONS } from "./storage-values.ts";

const DEFAULT_EXEC_ROOT = "/run/bunker";
const DEFAULT_FILE = "/etc/bunker/daemon.json";

const Size = z.union([z.number().int().positive(), z.string()]).transform((value, context) => {
  const match = /^(\d+)\s*([kmgt]?)i?b?$/i.exec(String(value));
  if (match === null) {
    context.addIssue(`"${value}" is not a size; write 64m or 67108864`);
    return z.NEVER;
  }
  const power = " kmgt".indexOf((match[2] || " ").toLowerCase());
  return Number(match[1]) * 1024 ** power;
});

/** Everybody who may ask for /info reads them. Source: Docker's dockerd, which refuses the same parts. */
const Mirror = z.url({ protocol: /^https?$/ }).refine(
  (text) => {
    if (!URL.canParse(text)) return false;
    const { username, password, search, hash } = new URL(text);
    return `${username}${password}${search}${hash}` === "";
  },
  { error: "a mirror is http:// or https:// and a host, without credentials, query or fragment" },
);

const isSpoken = (version: string) =>
  compareVersions(version, MINIMUM_API_VERSION) >= 0 && compareVersions(version, API_VERSION) <= 0;

/** Every value the daemon runs by, with its default. */
const Values = z.strictObject({
  "data-root": z.string().startsWith("/").default("/var/lib/bunker"),
  "exec-root": z.string().startsWith("/").default(DEFAULT_EXEC_ROOT),
  pidfile: z.string().startsWith("/").optional(),
  hosts: z.array(z.string()).optional(),
  group: z.string().optional(),
  "authorization-plugins": z.array(z.string().min(1)).default([]),
  "insecure-tcp": z.boolean().default(false),
  tls: z.boolean().default(false),
  tlsverify: z.boolean().optional(),
  tlscacert: z.string().optional(),
  tlscert: z.string().optional(),
  tlskey: z.string().optional(),
  ...NETWORK_VALUES,
  ...CONTAINER_VALUES,
  dns: z.array(z.string()).default([]),
  "dns-search": z.array(z.string()).default([]),
  "dns-opts": z.array(z.string()).default([]),
  "registry-mirrors": z.array(Mirror).default([]),
  "insecure-registries": z.array(z.string()).default([]),
  "registry-data": z.array(z.string()).default([]),
  "registry-certs": z.array(z.string()).default([...CERTIFICATE_FOLDERS]),
  ...REGISTRY_VALUES,
  "max-concurrent-downloads": z.number().int().min(1).max(64).default(3),
  "storage-driver": z.string().optional(),
  "storage-opts": STORAGE_OPTIONS,
  "cgroup-parent": z
    .string()
    .regex(/^\/?[A-Za-z0-9_][A-Za-z0-9_./-]*$/)
    .refine((path) => !path.split("/").includes(".."))
    .optional(),
  "default-shm-size": Size.default(64 * 1024 * 1024),
  "default-stop-timeout": z.number().int().min(-1).default(10),
  "no-new-privileges": z.boolean().default(false),
  init: z.boolean().default(false),
  "log-driver": z.enum([...LOG_DRIVERS, "none"]).default("json-file"),
  "log-opts": z.record(z.string(), z.string()).default({}),
  "live-restore": z.boolean().default(true),
  "shutdown-timeout": z.number().int().min(-1).default(15),
  "exec-opts": z
    .array(z.literal("native.cgroupdriver=cgroupfs", "only native.cgroupdriver=cgroupfs is there"))
    .default([]),
  gc: GARBAGE.optional(),
  labels: z.array(z.string()).default([]),
  "metrics-addr": z.string().optional(),
  "log-format": z.enum(["text", "json"]).default("text"),
  experimental: z.boolean().default(false),
  "min-api-version": z
    .string()
    .refine(isSpoken, `write a version from ${MINIMUM_API_VERSION} to ${API_VERSION}`)
    .default(MINIMUM_API_VERSION),
  "log-level": z.enum(["debug", "info", "warn", "error", "fatal"]).default("info"),
  debug: z.boolean().default(false),
} satisfies Record<SettingKey, z.ZodType>);

export type Config = z.infer<typeof Values> & {
  readonly hosts: readonly string[];
  readonly pidfile: string;
  readonly "cgroup-parent": string;
  readonly "log-level": LogLevel;
};

/** Flags and file through one schema. A key in both, an unknown key or a wrong value is `invalid`, naming it. */
export function readConfig(words: readonly string[]): Config {
  const { values: flags, configFile } = readFlags(words);
  const file = readFile(configFile);
  const both = Object.keys(flags).filter((key) => key in file && key !== "hosts");
  if (both.length > 0 || ("hosts" in flags && "hosts" in file))
    throw new Fault(
      "invalid",
      `Cannot start: ${both[0] ?? "hosts"} is set both by a flag and in the configuration file; keep one`,
    );
  const parsed = Values.safeParse({ ...file, ...flags }, { reportInput: true });
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const meant =
      issue?.code === "invalid_value" ? didYouMean(String(issue.input), issue.values.map(String)) : "";
    throw new Fault(
      "invalid",
      `Cannot start: the setting ${issue?.path.join(".")} is not valid: ${issue?.message}${meant}`,
    );
  }
  const values = parsed.data;
  checkLogSettings(values);
  checkDefaultRuntime(values);
  return {
    ...values,
    hosts: values.hosts ?? [`unix://${values["exec-root"]}/bunker.sock`],
    pidfile: values.pidfile ?? `${values["exec-root"]}/bunker.pid`,
    "cgroup-parent": (values["cgroup-parent"] ?? parentFor(values["exec-root"])).replace(/^\//, ""),
    "log-level": values.debug ? "debug" : values["log-level"],
  };
}

/** Every container without a driver of its own would be refused by them. */
function checkLogSettings(values: z.infer<typeof Values>): void {
  try {
    checkLog({ type: values["log-driver"], options: values["log-opts"] });
  } catch (thrown) {
    const reason = sentenceOf(thrown);
    throw new Fault("invalid", `Cannot start: the settings log-driver and log-opts do not fit: ${reason}`);
  }
}

/** Daemons side by side sweep their own groups alone: another exec-root has another parent. */
function parentFor(execRoot: string): string {
  return execRoot === DEFAULT_EXEC_ROOT
    ? "bunker"
    : `bunker-${sha256(execRoot).slice("sha256:".length, "sha256:".length + 8)}`;
}

function readFile(path: string | undefined): Record<string, unknown> {
  const file = path ?? DEFAULT_FILE;
  if (path === undefined && !existsSync(file)) return {};
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, "utf8").replace(/^\uFEFF/, "") || "{}");
  } catch (thrown) {
    throw new Fault("invalid", `Cannot read the configuration file ${file}: ${sentenceOf(thrown)}`, {
      cause: thrown,
    });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new Fault("invalid", `Cannot read the configuration file ${file}: it must hold one JSON object`);
  const known = new Set<string>(SETTINGS.map(({ key }) => key));
  const unknown = Object.keys(value).filter((key) => !known.has(key));
  if (unknown.length > 0) {
    const reason = refusal(unknown[0] ?? "");
    throw new Fault(
      "invalid",
      `Cannot read the configuration file ${file}: the key "${unknown.join('", "')}" is not supported${reason === undefined ? "" : ` (${reason})`}; remove it${didYouMean(unknown[0] ?? "", known)}`,
    );
  }
  return value as Record<string, unknown>;
}
