/**
 * What a fresh machine lacks: JavaScript packages, a C compiler, host programs. Each is installed with a word
 * about it, and nothing is done where it is there already. Uses Bun and Node's library alone: it runs first.
 */
import { existsSync, readFileSync, readlinkSync } from "node:fs";

/** Program → the Debian package that brings it. */
const HOST_PROGRAMS: Readonly<Record<string, string>> = {
  "musl-gcc": "musl-tools",
  cc: "gcc",
  "iptables-restore": "iptables",
  ps: "procps",
};
const KERNEL_HEADERS = "/usr/include/linux/seccomp.h";

export async function setUp(): Promise<void> {
  if (lacksPackages()) await must("JavaScript packages", [process.execPath, "install", "--frozen-lockfile"]);
  const missing = Object.entries(HOST_PROGRAMS).flatMap(([program, name]) =>
    Bun.which(program) === null ? [name] : [],
  );
  if (!existsSync(KERNEL_HEADERS)) missing.push("linux-libc-dev");
  await installPackages(missing);
  await must("dist/bunker", [process.execPath, "run", "build"]);
}

/** A checkout that was brought up to date may ask for more than is there. */
function lacksPackages(): boolean {
  const { dependencies, devDependencies } = JSON.parse(readFileSync("package.json", "utf8"));
  return Object.keys({ ...dependencies, ...devDependencies }).some(
    (name) => !existsSync(`node_modules/${name}`),
  );
}

/** An archive that cannot be reached for a moment is asked again. */
const AGAIN = ["-o", "Acquire::Retries=5"];

/** Installs Debian packages, saying so. Nothing is done for an empty list. */
export async function installPackages(names: readonly string[]): Promise<void> {
  if (names.length === 0) return;
  const environment = { DEBIAN_FRONTEND: "noninteractive" };
  if (process.getuid?.() !== 0)
    throw new Error(`Cannot install ${names.join(", ")}: this needs root; install them and run again`);
  const isListed = [...new Bun.Glob("*_Packages*").scanSync("/var/lib/apt/lists")].length > 0;
  if (!isListed)
    await must(
      "the list of Debian packages",
      withNetwork(["apt-get", ...AGAIN, "update", "-q"]),
      environment,
    );
  await must(
    `Debian packages ${names.join(", ")}`,
    withNetwork(["apt-get", ...AGAIN, "install", "-yq", "--no-install-recommends", ...names]),
    environment,
  );
}

/** The process that runs all tests is in the machine's own network, and tells those that are not who it is. */
export const OUTSIDE = "BUNKER_TEST_OUTSIDE";

/** The command, run in the machine's own network where this process has one without a way out. */
export function withNetwork(command: string[]): string[] {
  const outside = process.env[OUTSIDE] ?? "1";
  const namespaceOf = (pid: string): string | undefined => {
    try {
      return readlinkSync(`/proc/${pid}/ns/net`);
    } catch {
      return undefined;
    }
  };
  const machine = namespaceOf(outside);
  return machine === undefined || namespaceOf("self") === machine
    ? command
    : ["nsenter", `--net=/proc/${outside}/ns/net`, "--", ...command];
}

async function must(
  what: string,
  command: string[],
  environment: Record<string, string> = {},
): Promise<void> {
  process.stderr.write(
    `set-up: ${what} (${command.map((word) => word.replace(/^.*\/(bun)(\.exe)?$/, "$1")).join(" ")})\n`,
  );
  const child = Bun.spawn(command, {
    env: { ...process.env, ...environment },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  if (code !== 0)
    throw new Error(
      `Cannot set up ${what}: the command ended with ${code}\n${out.slice(-2000)}${err.slice(-2000)}`,
    );
}
