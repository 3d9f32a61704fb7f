import { z } from "zod";
import { didYouMean, Fault } from "#errors";
import { findProgram } from "#host";
import { OWN_RUNTIME, runtimeNamed } from "#jobs";

export { OWN_RUNTIME } from "#jobs";

/** Groups are made, measured and removed by the engine itself, by their paths. */
const FOREIGN_GROUPS = /^--(systemd-cgroup|cgroup-manager)(=|$)/;
/** These are the engine's to say. */
const OWN_WORDS = /^--(root|log|log-format)(=|$)/;

const Args = z.array(z.string()).superRefine((words, context) => {
  const foreign = words.find((word) => FOREIGN_GROUPS.test(word));
  if (foreign !== undefined)
    context.addIssue(`${foreign} is not supported: the engine keeps the groups itself`);
  const own = words.find((word) => OWN_WORDS.test(word));
  if (own !== undefined) context.addIssue(`${own} is the engine's own to say`);
});

const Runtime = z
  .looseObject({ path: z.string().min(1).optional(), runtimeArgs: Args.default([]) })
  .transform(({ path, runtimeArgs, ...others }, context) => {
    const [other] = Object.keys(others);
    if (other === "runtimeType" || other === "options")
      context.addIssue(`${other} is not supported: there is no containerd; give the path of an OCI runtime`);
    else if (other !== undefined) context.addIssue(`${other} is no key of a runtime`);
    else if (path === undefined) context.addIssue("a runtime needs the path of its program");
    return { path: path ?? "", args: runtimeArgs };
  });

const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]*$/;

/** Why this cannot be a runtime's name; undefined when it can. `runc` may be one: until it is, it stands for the engine's own. */
function misnamed(name: string): string | undefined {
  if (!NAME.test(name)) return "a runtime's name is of letters, digits, _ . and -";
  return name !== "runc" && runtimeNamed(name, {}) === OWN_RUNTIME
    ? "this name is the engine's own"
    : undefined;
}

/** OCI runtimes by name. Source: Docker's dockerd reference, "Configure runc drop-in replacements". */
export const RUNTIMES = z
  .record(z.string(), Runtime)
  .superRefine((runtimes, context) => {
    for (const name of Object.keys(runtimes)) {
      const why = misnamed(name);
      if (why !== undefined) context.addIssue(`${name.slice(0, 100)}: ${why}`);
    }
  })
  .default({});

interface RuntimeConfig {
  readonly runtimes: z.infer<typeof RUNTIMES>;
  readonly "default-runtime": string;
}

export function runtimeSettings(config: RuntimeConfig) {
  return { runtimes: config.runtimes, defaultRuntime: config["default-runtime"] };
}

/** Throws `invalid` for one that nobody has named. */
export function checkDefaultRuntime({ runtimes, "default-runtime": name }: RuntimeConfig): void {
  if (runtimeNamed(name, runtimes) !== undefined) return;
  const known = [OWN_RUNTIME, ...Object.keys(runtimes)];
  throw new Fault(
    "invalid",
    `Cannot start: the default runtime ${name.slice(0, 100)} is not among the runtimes; there is ${known.join(", ")}${didYouMean(name, known)}`,
  );
}

/** Of runtimes whose program is not there, which is no reason not to start. */
export function runtimeWarnings({ runtimes }: Pick<RuntimeConfig, "runtimes">): readonly string[] {
  return Object.entries(runtimes).flatMap(([name, { path }]) =>
    findProgram(path) === undefined
      ? [`${path} is not installed: containers with the runtime ${name} cannot be started`]
      : [],
  );
}
