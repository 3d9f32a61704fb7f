import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { Fault } from "#errors";
import { isAlive, processStartTicks } from "#host";
import type { PublishedPort } from "./driver.ts";

/** Of one container: where its relay listens, and where it connects to. */
export interface RelayRequest {
  readonly containerId: string;
  /** When this link of the host goes, the relay ends by itself. */
  readonly link: string;
  readonly ports: readonly RelayedPort[];
}

/** With the container's address that it leads to. */
export interface RelayedPort extends PublishedPort {
  readonly address: string;
}

/** How starting one went: an errno says which port could not be listened on. */
export type RelayStart =
  | { readonly ok: true }
  | { readonly ok: false; readonly errno: number; readonly port: PublishedPort };

interface Running {
  readonly pid: number;
  readonly startTicks: string;
  readonly words: string;
}

/** How often and how long a killed relay's end is looked for: it takes well under a millisecond. */
const END_POLL_MILLISECONDS = 1;
const END_LIMIT_MILLISECONDS = 2000;

/**
 * Relays carry what address translation cannot: connections to an IPv6 address of the host for a container
 * that has only IPv4, those to IPv6's loopback, and all ports where the daemon shall leave the firewall alone or
 * its INPUT rules shall count. One process per container
 * (`launcher relay`), which outlives the daemon and is known by its words.
 */
export class Relays {
  readonly #launcherCommand: (args: readonly string[]) => readonly string[];
  readonly #owner: string;
  /** By container and link: a container's ports may move from one network to another. */
  readonly #running = new Map<string, Running>();

  /** `owner` tells this daemon's relays from another's: its state directory. */
  constructor(launcherCommand: (args: readonly string[]) => readonly string[], owner: string) {
    this.#launcherCommand = launcherCommand;
    this.#owner = owner;
  }

  /** Listens on all of them or on none. */
  async start(request: RelayRequest): Promise<RelayStart> {
    await this.stop(request.containerId, request.link);
    const words = this.#words(request);
    const child = Bun.spawn([...this.#launcherCommand(words)], {
      stdin: "ignore",
      stdout: "pipe",
      stderr: "ignore",
      detached: true,
      env: {},
    });
    child.unref();
    const startTicks = processStartTicks(child.pid) ?? "";
    this.#running.set(keyOf(request), { pid: child.pid, startTicks, words: words.join(" ") });
    const said = await child.stdout.text();
    if (said === "ready\n") return { ok: true };
    this.#running.delete(keyOf(request));
    const [, index, errno] = /^failed (\d+) (\d+)\n$/.exec(said) ?? [];
    const port = request.ports[Number(index)];
    if (port === undefined)
      throw new Fault(
        "internal",
        `Cannot relay the ports of ${request.containerId}: the relay ended at once`,
      );
    return { ok: false, errno: Number(errno), port };
  }

  /** It is gone when this returns, and its ports are free. */
  async stop(containerId: string, link: string): Promise<void> {
    const key = keyOf({ containerId, link });
    const running = this.#running.get(key);
    if (running === undefined) return;
    this.#running.delete(key);
    await end(running);
  }

  /** Finds those of an earlier daemon: keeps the wanted, ends the others, starts what is missing. */
  async restore(wanted: readonly RelayRequest[]): Promise<readonly RelayStart[]> {
    const missing = new Map(wanted.map((request) => [this.#words(request).join(" "), request]));
    for (const found of this.#find()) {
      const request = missing.get(found.words);
      if (request === undefined) await end(found);
      else {
        this.#running.set(keyOf(request), found);
        missing.delete(found.words);
      }
    }
    return Promise.all([...missing.values()].map((request) => this.start(request)));
  }

  #words({ containerId, link, ports }: RelayRequest): string[] {
    const targets = ports.map(
      ({ protocol, hostAddress, hostPort, address, containerPort }) =>
        `${protocol}/${hostAddress}/${hostPort}/${address}/${containerPort}`,
    );
    return ["relay", this.#owner, containerId, link, ...targets];
  }

  #find(): Running[] {
    return readdirSync("/proc").flatMap((name) => {
      const pid = Number(name);
      if (!Number.isInteger(pid)) return [];
      const words = wordsOf(pid);
      const start = words.indexOf("relay");
      // A process in a container can call itself whatever it likes.
      if (start < 0 || words[start + 1] !== this.#owner || !isOfThisHost(pid)) return [];
      const startTicks = processStartTicks(pid);
      return startTicks === undefined ? [] : [{ pid, startTicks, words: words.slice(start).join(" ") }];
    });
  }
}

const keyOf = ({ containerId, link }: Pick<RelayRequest, "containerId" | "link">): string =>
  `${containerId} ${link}`;

/** Whether it sees the processes that this one sees. */
function isOfThisHost(pid: number): boolean {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`) === readlinkSync("/proc/self/ns/pid");
  } catch {
    return false;
  }
}

function wordsOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").slice(0, -1);
  } catch {
    return [];
  }
}

async function end({ pid, startTicks }: Running): Promise<void> {
  const limit = performance.now() + END_LIMIT_MILLISECONDS;
  if (!isAlive(pid, startTicks)) return;
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    return;
  }
  while (isAlive(pid, startTicks)) {
    if (performance.now() > limit)
      throw new Fault("internal", `Cannot end the relay with pid ${pid}: it does not react to SIGKILL`);
    await Bun.sleep(END_POLL_MILLISECONDS);
  }
}
