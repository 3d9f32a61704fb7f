import { signalProcess } from "#host";
import {
  compileExecPlan,
  compilePlan,
  detectCgroups,
  type Group,
  groupPath,
  launcherPath,
  type RuntimeSpec,
} from "#libcontainer";
import type { ExecDriverKind, ExecDriverOptions, LaunchRequest, Verdict } from "./driver.ts";
import type { ContainerName, Maker, Verbs } from "./maker.ts";
import { SupervisedDriver } from "./supervised.ts";

/** The first kernel with openat2, open_tree, mount_setattr on whole trees, close_range and lasting pidfds. */
const OLDEST_KERNEL = [5, 12] as const;

/** Containers made by this program's own launcher, one supervisor each. */
export const nativeKind: ExecDriverKind = {
  name: "native",
  probe: async () => probeHost(),
  open: async (options) => {
    launcherPath(options.stateDirectory);
    return new SupervisedDriver(options.stateDirectory, new NativeMaker(options));
  },
};

/** What every driver needs, for the supervisor is the same. */
export async function probeHost(): Promise<Verdict> {
  if (process.platform !== "linux") return { usable: false, reason: "it needs Linux" };
  if (process.geteuid?.() !== 0) return { usable: false, reason: "it needs root" };
  const release = (await Bun.file("/proc/sys/kernel/osrelease").text()).trim();
  const [major = 0, minor = 0] = release.split(".").map(Number);
  const isOld = major < OLDEST_KERNEL[0] || (major === OLDEST_KERNEL[0] && minor < OLDEST_KERNEL[1]);
  return isOld
    ? { usable: false, reason: `it needs Linux ${OLDEST_KERNEL.join(".")} or newer, and this is ${release}` }
    : { usable: true };
}

class NativeMaker implements Maker {
  readonly name = nativeKind.name;
  readonly cgroups = detectCgroups();
  readonly #cgroupParent: string;

  constructor({ cgroupParent }: ExecDriverOptions) {
    this.#cgroupParent = cgroupParent;
  }

  plan({ spec, host }: LaunchRequest) {
    return compilePlan(spec, host, { cgroups: this.cgroups, cgroupParent: this.#cgroupParent });
  }

  groupPath({ linux }: RuntimeSpec): string {
    return groupPath(linux.cgroupsPath, this.#cgroupParent);
  }

  verbs({ pid, startTicks }: ContainerName, group: Group): Verbs {
    return {
      signal: async (number) => signalProcess(pid, startTicks, number),
      pause: () => group.freeze(),
      resume: async () => group.thaw(),
      isPaused: async () => group.isFrozen(),
      execPlan: ({ process, execId, endsWhole = false }) =>
        compileExecPlan({ process, pid, ...(endsWhole && { ownGroup: execId }) }, { cgroups: this.cgroups }),
    };
  }

  /** The launcher names the step that failed, and its reports are the sentences. */
  explain(thrown: unknown): unknown {
    return thrown;
  }

  tidy(): void {}

  async forsake(): Promise<void> {}
}
