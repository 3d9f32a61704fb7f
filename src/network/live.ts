import { closeSync, constants, openSync } from "node:fs";
import { Fault } from "#errors";
import { findLink, inNetworkNamespace, isAlive, Netlink, writeSysctl } from "#host";
import type { NetlinkStep } from "#oci";
import type { NamespaceHolder } from "./driver.ts";
import { perform } from "./host-steps.ts";

/**
 * The network namespace of a container that runs: kept open, so that it cannot become another's while it is changed.
 * What the launcher does at a start is done by this process here.
 */
export class LiveNamespace implements Disposable {
  readonly #descriptor: number;
  readonly #inside: Netlink;
  readonly #host: Netlink;

  private constructor(descriptor: number, host: Netlink) {
    this.#descriptor = descriptor;
    this.#host = host;
    // A socket stays in the namespace in which it was made.
    this.#inside = inNetworkNamespace(this.#path, () => new Netlink());
  }

  /** Throws `conflict` when the holder has ended. */
  static open(holder: NamespaceHolder, host: Netlink): LiveNamespace {
    const live = LiveNamespace.find(holder, host);
    if (live !== undefined) return live;
    throw new Fault("conflict", "Cannot enter the container's network: it is not running any more");
  }

  /** Undefined when the holder has ended. */
  static find({ pid, startTicks }: NamespaceHolder, host: Netlink): LiveNamespace | undefined {
    const descriptor = openNamespace(pid);
    if (descriptor === undefined) return undefined;
    try {
      // Looked at once it is open: the pid may have become another's before, and no longer matters after.
      if (isAlive(pid, startTicks)) return new LiveNamespace(descriptor, host);
    } catch (thrown) {
      closeSync(descriptor);
      throw thrown;
    }
    closeSync(descriptor);
    return undefined;
  }

  get #path(): string {
    return `/proc/self/fd/${this.#descriptor}`;
  }

  hasLink(name: string): boolean {
    return findLink(this.#inside, name) !== undefined;
  }

  perform(step: NetlinkStep): void {
    if (step.netns === "host") perform(this.#host, step, this.#descriptor);
    else if (step.netns === "child") perform(this.#inside, step, this.#descriptor);
    else {
      using other = inNetworkNamespace(step.netns, () => new Netlink());
      perform(other, step, this.#descriptor);
    }
  }

  /** Keys with dots, as containers' own sysctls are written. */
  set(sysctls: Readonly<Record<string, string>>): void {
    const all = Object.entries(sysctls);
    if (all.length === 0) return;
    inNetworkNamespace(this.#path, () => {
      for (const [key, value] of all) writeSysctl(key.replaceAll(".", "/"), value);
    });
  }

  [Symbol.dispose](): void {
    this.#inside[Symbol.dispose]();
    closeSync(this.#descriptor);
  }
}

function openNamespace(pid: number): number | undefined {
  try {
    return openSync(`/proc/${pid}/ns/net`, constants.O_RDONLY);
  } catch {
    return undefined;
  }
}
