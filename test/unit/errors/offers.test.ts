import { expect, test } from "bun:test";
import type { ImageConfig } from "#oci";
import { checkPull } from "../../../src/cli/create/container.ts";
import { CREATE_FLAGS } from "../../../src/cli/create/flags.ts";
import { parseFlags } from "../../../src/cli/flags.ts";
import { parseSignal } from "../../../src/container/signals.ts";
import { readConfig } from "../../../src/daemon/config.ts";
import { checkGraphDriver } from "../../../src/daemon/drivers.ts";
import { parseBind } from "../../../src/jobs/container/binds.ts";
import { checkLog } from "../../../src/jobs/container/log/options.ts";
import { checkRequest } from "../../../src/jobs/container/mount-requests.ts";
import { settleRuntime } from "../../../src/jobs/container/runtime.ts";
import { parseSecurityOptions } from "../../../src/jobs/container/spec-security.ts";
import { checkTmpfsOptions } from "../../../src/jobs/container/tmpfs.ts";
import { validateHostSpec } from "../../../src/jobs/container/validate.ts";
import { applyChanges } from "../../../src/jobs/image/changes.ts";
import { checkPlatform } from "../../../src/jobs/image/platform.ts";
import { requireNetwork } from "../../../src/jobs/network/find.ts";
import { capabilityNamed } from "../../../src/libcontainer/capabilities.ts";
import {
  CONTAINER_FILTERS,
  NETWORK_PRUNE_FILTERS,
  parseFilters,
  VOLUME_FILTERS,
} from "../../../src/server/translate/filters.ts";
import { toRestartPolicy } from "../../../src/server/translate/host-spec.ts";
import { parseLocalOptions } from "../../../src/volume/drivers/local/options.ts";
import { specOf } from "../../fakes/containers.ts";
import { body } from "../cli/create-words.ts";

const filters = (key: string, value: string) => JSON.stringify({ [key]: [value] });
const mount = (type: string) => ({ type, source: "", target: "/x", readonly: false, consistency: "" });
const runtimes = { runtimes: { runsc: { path: "/usr/bin/runsc", args: [] } }, defaultRuntime: "native" };
const config = (...words: string[]) => readConfig([...words, "--config-file", "/dev/null"]);
const IMAGE = { os: "linux", architecture: "amd64" } as ImageConfig;

// Each refuses one mistyped word, wherever it is read, and ends with the one that was meant.
test.each<[string, () => unknown]>([
  ["on-failure", () => toRestartPolicy({ Name: "on-failur", MaximumRetryCount: 0 })],
  ["status", () => parseFilters(filters("statis", "x"), CONTAINER_FILTERS)],
  ["exited", () => parseFilters(filters("status", "exitd"), CONTAINER_FILTERS)],
  ["dangling", () => parseFilters(filters("dangeling", "true"), VOLUME_FILTERS)],
  ["until", () => parseFilters(filters("untill", "1h"), NETWORK_PRUNE_FILTERS)],
  ["SIGTERM", () => parseSignal("SIGTRM")],
  ["HUP", () => parseSignal("hpu")],
  ["NET_ADMIN", () => capabilityNamed("NET_ADMN")],
  ["SYS_PTRACE", () => capabilityNamed("cap_sys_prtace")],
  ["json-file", () => checkLog({ type: "jsonfile", options: {} })],
  ["max-size", () => checkLog({ type: "json-file", options: { maxsize: "1m" } })],
  ["non-blocking", () => checkLog({ type: "json-file", options: { mode: "nonblocking" } })],
  ["auth", () => checkLog({ type: "syslog", options: { "syslog-facility": "auht" } })],
  ["bind", () => checkRequest(mount("bnd"))],
  ["rprivate", () => parseBind("/a:/b:rprvate")],
  ["size", () => checkTmpfsOptions("sise=1m")],
  ["runsc", () => settleRuntime(specOf({}, { runtime: "runcs" }), runtimes)],
  ["no-new-privileges", () => parseSecurityOptions(["no-new-privilege:true"])],
  ["systempaths=unconfined", () => parseSecurityOptions(["systempaths=unconfind"])],
  ["private", () => validateHostSpec(specOf({}, { ipcMode: "prviate" }))],
  ["nofile", () => validateHostSpec(specOf({}, { ulimits: [{ name: "nofle", soft: 1, hard: 1 }] }))],
  ["ENTRYPOINT", () => applyChanges({}, ["ENTRYPONT x"])],
  ["linux/amd64", () => checkPlatform(IMAGE, { os: "linx", architecture: "amd64" }, "busybox")],
  ["device", () => parseLocalOptions({ devise: "x" })],
  ["overlay2", () => checkGraphDriver("overly2")],
  ["debug", () => config("--log-level", "debgu")],
  ["nftables", () => config("--firewall-backend", "nftable")],
  ["host", () => config("--default-cgroupns-mode", "hots")],
  ["--data-root", () => config("--dataroot", "/x")],
  ["nofile", () => config("--default-ulimit", "nofle=1")],
  ["always", () => checkPull(parseFlags(CREATE_FLAGS, ["--pull", "allways"]).flags)],
  ["host", () => body(["--pid", "hots"])],
  ["private", () => body(["--cgroupns", "prviate"])],
  ["nofile", () => body(["--ulimit", "nofle=1"])],
  ["bind-propagation", () => body(["--mount", "type=bind,bind-propogation=shared,src=/a,dst=/b"])],
  ["stdin", () => body(["-a", "stdn"])],
  ["alias", () => body(["--network", "name=a,alais=b"])],
  ["udp", () => body(["-p", "80/upd"])],
  ["no-new-privileges", () => body(["--security-opt", "no-new-privilege"])],
  ["count", () => body(["--gpus", "cont=1"])],
  ["host", () => requireNetwork({ find: () => undefined }, "hots")],
  ["runc", () => settleRuntime(specOf({}, { runtime: "runcc" }), { runtimes: {}, defaultRuntime: "native" })],
  ["btrfs.size", () => config("--storage-opt", "btrfs.sise=1g")],
])("%s is offered for a word like it", (meant, refuse) => {
  expect(refuse).toThrow(`; did you mean ${meant}?`);
});

test("a platform that is known but not there is no slip of another", () => {
  const refuse = () => checkPlatform(IMAGE, { os: "linux", architecture: "arm64" }, "busybox");
  expect(refuse).toThrow(/specified platform \(linux\/arm64\)$/);
});
