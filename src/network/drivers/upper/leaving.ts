import { sentenceOf } from "#errors";
import type { Netlink } from "#host";
import { parseAddress } from "../../addresses.ts";
import type { Endpoint } from "../../driver.ts";
import { performOnHost } from "../../host-steps.ts";
import { addAddress } from "../../steps/addresses.ts";
import { bringUp, deleteLink } from "../../steps/links.ts";
import { makeUpperLink, type UpperKind } from "../../steps/upper-links.ts";

/** Between looks: each one half as long again as the one before, up to the longest. */
const FIRST_PAUSE_MILLISECONDS = 20;
const LONGEST_PAUSE_MILLISECONDS = 500;
/** The kernel removes namespaces one after another: where many end at once it takes its time. */
const PATIENCE_MILLISECONDS = 30_000;
/** After so long it has removed the link, whatever it had to do besides. */
const FRESH_MILLISECONDS = 120_000;

/** Who is about to have a link that another container may have had. */
export interface Successor {
  readonly parent: string;
  readonly upper: UpperKind;
  readonly endpoint: Pick<Endpoint, "address" | "macAddress" | "endpointId">;
}

const addressOf = ({ upper, endpoint }: Omit<Successor, "parent">): string =>
  upper.kind === "macvlan" ? endpoint.macAddress : endpoint.address;

/**
 * Addresses of containers that have ended. The kernel removes their links some time after their processes, and does not
 * say when; until then a parent takes no other link with such an address.
 */
export class LeavingAddresses {
  readonly #netlink: Netlink;
  readonly #left = new Map<string, number>();

  constructor(netlink: Netlink) {
    this.#netlink = netlink;
  }

  note(one: Successor): void {
    const now = performance.now();
    for (const [key, since] of this.#left) if (now - since > FRESH_MILLISECONDS) this.#left.delete(key);
    this.#left.set(`${one.parent} ${addressOf(one)}`, now);
  }

  /** Returns when the address can be had again, or when it is no use to wait. */
  async whenFree(one: Successor): Promise<void> {
    const key = `${one.parent} ${addressOf(one)}`;
    if (!this.#left.delete(key)) return;
    let pause = FIRST_PAUSE_MILLISECONDS;
    for (const end = performance.now() + PATIENCE_MILLISECONDS; this.#isTaken(one); ) {
      if (performance.now() > end) return;
      await Bun.sleep(pause);
      pause = Math.min(pause * 1.5, LONGEST_PAUSE_MILLISECONDS);
    }
  }

  /** A link of the host's own is tried with it; of mode passthru there is one at a time. */
  #isTaken({ parent, upper, endpoint }: Successor): boolean {
    const name = `bp-${endpoint.endpointId.slice(0, 8)}`;
    const macAddress = upper.kind === "macvlan" ? endpoint.macAddress : "";
    const address = parseAddress(endpoint.address);
    try {
      performOnHost(this.#netlink, makeUpperLink({ upper, parent, name, macAddress, mtu: 0, netns: "host" }));
      if (upper.kind === "macvlan") performOnHost(this.#netlink, bringUp(name));
      else if (address !== undefined)
        performOnHost(this.#netlink, addAddress({ link: name, netns: "host", address, prefixLength: 32 }));
      return false;
    } catch (error) {
      return /EADDRINUSE|EINVAL|EBUSY/.test(sentenceOf(error));
    } finally {
      performOnHost(this.#netlink, deleteLink(name));
    }
  }
}
