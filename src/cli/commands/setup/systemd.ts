import { didYouMean, Fault } from "#errors";
import { defineCli } from "../../command.ts";
import { fs } from "../../lazy-fs.ts";
import { serviceUnit, socketUnit } from "./units.ts";

/** Those that the daemon gives its socket to. */
const GROUPS = ["docker", "bunker"];

/** `bunker setup systemd`. */
export const setupSystemd = defineCli({
  synopsis: "[OPTIONS]",
  about: "Print systemd's units for the daemon: bunker.service and bunker.socket",
  example: "bunker setup systemd --print socket > /etc/systemd/system/bunker.socket",
  flags: { print: { kind: "text", hint: "string", about: "Print one of them alone: service or socket" } },
  words: { min: 0, max: 0 },
  async run({ flags, session }) {
    const units: Readonly<Record<string, string>> = {
      service: serviceUnit(process.execPath),
      socket: socketUnit(socketGroup()),
    };
    const asked = flags.text("print");
    if (asked !== "" && !Object.hasOwn(units, asked))
      throw new Fault(
        "invalid",
        `Cannot print the unit "${asked}": there are service and socket${didYouMean(asked, Object.keys(units))}`,
      );
    const wanted = asked === "" ? Object.keys(units) : [asked];
    session.console.out(
      wanted
        .map((kind) => (asked === "" ? `# /etc/systemd/system/bunker.${kind}\n` : "") + units[kind])
        .join("\n"),
    );
    return 0;
  },
});

/** systemd refuses a socket for a group that is not there. */
function socketGroup(): string {
  try {
    const names = fs()
      .readFileSync("/etc/group", "utf8")
      .split("\n")
      .map((line) => line.split(":")[0]);
    return GROUPS.find((group) => names.includes(group)) ?? "root";
  } catch {
    return "root";
  }
}
