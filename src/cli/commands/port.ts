import { inspectContainer, type PortMap } from "#client";
import { Fault } from "#errors";
import { defineCli } from "../command.ts";

/** `bunker port`. */
export const port = defineCli({
  synopsis: "CONTAINER [PRIVATE_PORT[/PROTO]]",
  about: "List port mappings or a specific mapping for the container",
  example: "bunker port web 80/tcp",
  flags: {},
  words: { min: 1, max: 2 },
  async run({ words: [name = "", wanted], session }) {
    const { NetworkSettings } = await inspectContainer(session.daemon, name);
    const lines =
      wanted === undefined
        ? all(NetworkSettings?.Ports ?? {})
        : one(NetworkSettings?.Ports ?? {}, { wanted, name });
    session.console.out(lines.map((line) => `${line}\n`).join(""));
    return 0;
  },
});

const place = (ip: string, port: string) => (ip.includes(":") ? `[${ip}]:${port}` : `${ip}:${port}`);

function all(ports: PortMap): string[] {
  const known = Object.entries(ports).sort(
    ([left], [right]) => Number.parseInt(left, 10) - Number.parseInt(right, 10),
  );
  return known.flatMap(([port, bindings]) =>
    (bindings ?? []).map(({ HostIp, HostPort }) => `${port} -> ${place(HostIp, HostPort)}`),
  );
}

function one(ports: PortMap, { wanted, name }: { wanted: string; name: string }): string[] {
  const [, digits = "", protocol = "tcp"] = /^(\d{1,5})(?:\/(.+))?$/.exec(wanted) ?? [];
  if (digits === "")
    throw new Fault("invalid", `invalid port ${JSON.stringify(wanted)}: it is not PORT[/PROTO]`);
  const bindings = ports[`${digits}/${protocol}`];
  if (!bindings) throw new Fault("not_found", `Error: No public port '${wanted}' published for ${name}`);
  return bindings.map(({ HostIp, HostPort }) => place(HostIp, HostPort));
}
