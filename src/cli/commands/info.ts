import { daemonInfo } from "#client";
import { Fault } from "#errors";
import { defineCli } from "../command.ts";
import { cleanCell } from "../output/clean.ts";
import { renderOne } from "../output/one.ts";
import { binarySize } from "../output/units.ts";
import { CLIENT_VERSION } from "../program.ts";
import type { Session } from "../session.ts";

type Info = Readonly<Record<string, unknown>>;

/** `bunker info`. */
export const info = defineCli({
  synopsis: "[OPTIONS]",
  about: "Display system-wide information",
  example: "bunker info -f '{{.Driver}} {{.CgroupVersion}}'",
  flags: {
    format: { kind: "text", hint: "string", short: "f", about: "Format output: 'json' or a Go template" },
  },
  words: { min: 0, max: 0 },
  async run({ flags, session }) {
    const format = flags.text("format");
    if (format !== "") {
      session.console.out(
        renderOne({ ...(await daemonInfo(session.daemon)), ClientInfo: clientInfo(session) }, format),
      );
      return 0;
    }
    session.console.out(clientText(session));
    const known = await daemonInfo(session.daemon).catch((thrown: unknown) => {
      if (thrown instanceof Fault)
        throw new Fault(thrown.kind, `${thrown.message}\nerrors pretty printing info`, { cause: thrown });
      throw thrown;
    });
    session.console.out(infoText(known));
    for (const warning of texts(known.Warnings)) session.complain(cleanCell(warning));
    return 0;
  },
});

const clientInfo = ({ context, globals }: Session) => ({
  Version: CLIENT_VERSION,
  Context: context,
  Debug: globals.bool("debug"),
  Plugins: [],
  Warnings: null,
});

function clientText(session: Session): string {
  const { Version, Context, Debug } = clientInfo(session);
  return `Client:\n Version:    ${Version}\n Context:    ${cleanCell(Context)}\n Debug Mode: ${Debug}\n\nServer:\n`;
}

const texts = (value: unknown) => (Array.isArray(value) ? value.map(String) : []);

/** Lines of docker's page for what the daemon tells; what it does not tell has no line. */
function infoText(info: Info): string {
  const plugins = (info.Plugins ?? {}) as Readonly<Record<string, readonly string[] | null>>;
  const line = (name: string, value: unknown, indent = 1) =>
    value === undefined || value === null || value === ""
      ? ""
      : `${" ".repeat(indent)}${name}: ${cleanCell(String(value))}\n`;
  const status = Array.isArray(info.DriverStatus) ? info.DriverStatus : [];
  const runtimes = Object.keys((info.Runtimes ?? {}) as object).join(" ");
  return [
    line("Containers", info.Containers),
    line("Running", info.ContainersRunning, 2),
    line("Paused", info.ContainersPaused, 2),
    line("Stopped", info.ContainersStopped, 2),
    line("Images", info.Images),
    line("Server Version", info.ServerVersion),
    line("Storage Driver", info.Driver),
    ...status.map((pair) => (Array.isArray(pair) ? line(String(pair[0]), pair[1], 2) : "")),
    line("Logging Driver", info.LoggingDriver),
    line("Cgroup Driver", info.CgroupDriver),
    line("Cgroup Version", info.CgroupVersion),
    " Plugins:\n",
    ...Object.entries(plugins).map(([name, values]) => line(name, (values ?? []).join(" "), 2)),
    line("Swarm", ((info.Swarm ?? {}) as Info).LocalNodeState),
    line("Runtimes", runtimes),
    line("Default Runtime", info.DefaultRuntime),
    line("Init Binary", info.InitBinary),
    texts(info.SecurityOptions).length > 0 ? " Security Options:\n" : "",
    ...texts(info.SecurityOptions).map(securityLines),
    ...["KernelVersion", "OperatingSystem", "OSType", "Architecture"].map((key) =>
      line(TITLES[key] ?? key, info[key]),
    ),
    line("CPUs", info.NCPU),
    line("Total Memory", typeof info.MemTotal === "number" ? binarySize(info.MemTotal) : undefined),
    ...["Name", "ID", "DockerRootDir"].map((key) => line(TITLES[key] ?? key, info[key])),
    line("Debug Mode", info.Debug),
    ...proxyLines(info),
    ...listLines("Labels", texts(info.Labels)),
    line("Experimental", info.ExperimentalBuild),
    ...listLines("Insecure Registries", insecureRegistries(info)),
    ...listLines("Registry Mirrors", texts(((info.RegistryConfig ?? {}) as Info).Mirrors)),
    line("Live Restore Enabled", info.LiveRestoreEnabled),
    "\n",
  ].join("");
}

const listLines = (title: string, values: readonly string[]) =>
  values.length === 0 ? [] : [` ${title}:\n`, ...values.map((value) => `  ${cleanCell(value)}\n`)];

/** Proxies of the daemon's, without the password that an address may hold. */
function proxyLines(info: Info): string[] {
  const titles = { HttpProxy: "HTTP Proxy", HttpsProxy: "HTTPS Proxy", NoProxy: "No Proxy" };
  return Object.entries(titles).flatMap(([key, title]) => {
    const value = String(info[key] ?? "").replace(/\/\/[^/@]*@/, "//xxxxx:xxxxx@");
    return value === "" ? [] : [` ${title}: ${cleanCell(value)}\n`];
  });
}

/** Named ones first, then networks; Docker Hub's own entry is secure. */
function insecureRegistries(info: Info): string[] {
  const { IndexConfigs = {}, InsecureRegistryCIDRs } = (info.RegistryConfig ?? {}) as Info;
  const named = Object.entries(IndexConfigs as Readonly<Record<string, { readonly Secure?: boolean }>>);
  return [
    ...named.flatMap(([name, { Secure }]) => (Secure === false ? [name] : [])),
    ...texts(InsecureRegistryCIDRs),
  ];
}

const TITLES: Readonly<Record<string, string>> = {
  KernelVersion: "Kernel Version",
  OperatingSystem: "Operating System",
  OSType: "OSType",
  Architecture: "Architecture",
  DockerRootDir: "Docker Root Dir",
};

/** `name=seccomp,profile=builtin` as a name with indented settings. */
function securityLines(option: string): string {
  const [name = "", ...settings] = option.split(",").map((field) => field.replace(/^name=/, ""));
  const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);
  const lines = settings.map((setting) => `   ${capital(cleanCell(setting).replace("=", ": "))}\n`);
  return `  ${cleanCell(name)}\n${lines.join("")}`;
}
