import { mkdir, rm } from "node:fs/promises";
import { Fault } from "#errors";
import { describeSocket, type Log } from "#host";
import { launcherCommand } from "#libcontainer";

type Env = Readonly<Record<string, string | undefined>>;

/** A listening socket that this process was started with. */
export interface InheritedSocket {
  readonly descriptor: number;
  readonly name: string;
}

const FIRST_DESCRIPTOR = 3;
const MAX_SOCKETS = 64;
const AGAIN_MILLISECONDS = 1000;

/** What systemd handed over to this very process. Source: sd_listen_fds(3). */
export function inheritedSockets(env: Env, pid: number): readonly InheritedSocket[] {
  const count = Number(env.LISTEN_FDS);
  if (env.LISTEN_PID !== String(pid) || !Number.isInteger(count) || count < 1 || count > MAX_SOCKETS)
    return [];
  const names = env.LISTEN_FDNAMES?.split(":") ?? [];
  return Array.from({ length: count }, (_, at) => ({
    descriptor: FIRST_DESCRIPTOR + at,
    name: names[at] || "unknown",
  }));
}

/** Those that `fd://` (all), `fd://3` (by number) or `fd://NAME` means. Throws `invalid` when there is none. */
export function chosenSockets(host: string, sockets: readonly InheritedSocket[]): readonly InheritedSocket[] {
  const which = host.replace(/^fd:\/\//, "");
  const chosen = sockets.filter(
    ({ descriptor, name }) => which === "" || which === "*" || which === String(descriptor) || which === name,
  );
  if (chosen.length > 0) return chosen;
  const there = sockets.map(({ descriptor, name }) => `${descriptor} (${name})`).join(", ");
  throw new Fault(
    "invalid",
    sockets.length === 0
      ? `Cannot listen on ${host}: no sockets were handed over; start the daemon by a systemd socket unit (bunker setup systemd)`
      : `Cannot listen on ${host}: the sockets that were handed over are ${there}`,
  );
}

interface Front {
  readonly descriptor: number;
  /** Of the daemon's own socket behind it. */
  readonly path: string;
  readonly isTcp: boolean;
  readonly address: string;
}

/**
 * Stands behind sockets that were handed over: Bun cannot listen on those, so the launcher takes the connections and
 * carries them to sockets of the daemon's own, in a folder that only root may enter. Disposing ends it.
 */
export class Activation implements AsyncDisposable {
  readonly fronts: readonly Front[];
  readonly #folder: string;
  readonly #log: Log;
  #child: Bun.Subprocess | undefined;
  #isOver = false;

  constructor(
    hosts: readonly string[],
    { sockets, folder, log }: { sockets: readonly InheritedSocket[]; folder: string; log: Log },
  ) {
    this.#folder = folder;
    this.#log = log;
    const chosen = new Set(hosts.flatMap((host) => chosenSockets(host, sockets)));
    this.fronts = [...chosen].map(({ descriptor, name }) => {
      const { isListening, isUnix } = describeSocket(descriptor);
      const address = `fd://${descriptor} (${name})`;
      if (!isListening)
        throw new Fault("invalid", `Cannot listen on ${address}: it is no socket that listens for streams`);
      return { descriptor, path: `${folder}/${descriptor}.sock`, isTcp: !isUnix, address };
    });
  }

  async makeFolder(): Promise<void> {
    if (this.fronts.length > 0) await mkdir(this.#folder, { recursive: true, mode: 0o700 });
  }

  /** Lets connections in; the sockets behind must listen by now. */
  async open(): Promise<void> {
    if (this.fronts.length === 0 || this.#isOver) return;
    const targets = this.fronts.map(({ path }, at) => `${FIRST_DESCRIPTOR + at}${path}`);
    const child = Bun.spawn([...launcherCommand(["front", ...targets])], {
      stdio: ["pipe", "pipe", "ignore", ...this.fronts.map(({ descriptor }) => descriptor)],
      env: {},
    });
    const said = await (child.stdout as ReadableStream<Uint8Array>).text();
    if (said !== "ready\n")
      throw new Fault("internal", `Cannot take connections of sockets that were handed over: ${said.trim()}`);
    this.#child = child;
    void child.exited.then((code) => this.#again(code));
  }

  async #again(code: number): Promise<void> {
    if (this.#isOver) return;
    this.#log("error", `What takes the connections of fd:// ended with ${code}; it is started again`);
    await Bun.sleep(AGAIN_MILLISECONDS);
    await this.open().catch((thrown) => this.#log("error", String(thrown)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    this.#child?.kill();
    await this.#child?.exited;
    if (this.fronts.length > 0) await rm(this.#folder, { recursive: true, force: true });
  }
}
