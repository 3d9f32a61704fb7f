import { Fault } from "#errors";
import { contains, formatSubnet, type IpAddress, type Subnet, sizeOf } from "../addresses.ts";

/** Gives addresses of one pool in turn, so that one given back is used again last. */
export class AddressRange {
  readonly #subnet: Subnet;
  readonly #first: bigint;
  readonly #last: bigint;
  readonly #taken = new Set<bigint>();
  /** The network's own address and the one for all. */
  readonly #reserved: ReadonlySet<bigint>;
  #next: bigint;

  /** `within` narrows what is given without being asked for (`--ip-range`, `--fixed-cidr`). */
  constructor(subnet: Subnet, within: Subnet = subnet) {
    if (!contains(subnet, within) || within.prefixLength < subnet.prefixLength)
      throw new Fault(
        "invalid",
        `no matching subnet for range ${formatSubnet(within)}: it is not a part of ${formatSubnet(subnet)}`,
      );
    this.#subnet = subnet;
    this.#first = within.value;
    this.#last = within.value + sizeOf(within) - 1n;
    // Of IPv6 the first is for routers, and none is for all.
    const ends = subnet.family === 4 ? [subnet.value, subnet.value + sizeOf(subnet) - 1n] : [subnet.value];
    this.#reserved = new Set(sizeOf(subnet) > 2n ? ends : []);
    this.#next = this.#first;
  }

  isTaken({ value }: IpAddress): boolean {
    return this.#taken.has(value) || this.#reserved.has(value);
  }

  /** Marks one as in use that was asked for, or is known from before. */
  occupy(address: IpAddress): void {
    this.#taken.add(address.value);
  }

  /** The next to be given is the one behind it. */
  resume({ value }: IpAddress): void {
    if (value >= this.#first && value <= this.#last) this.#next = value + 1n;
  }

  free(address: IpAddress): void {
    this.#taken.delete(address.value);
  }

  /** The next one that is free, in use from now on; undefined when all are. */
  give(): IpAddress | undefined {
    const count = this.#last - this.#first + 1n;
    let value = this.#next;
    // What is taken bounds how many must be passed over.
    const limit = BigInt(this.#taken.size + this.#reserved.size) + 1n;
    for (let tried = 0n; tried < count && tried < limit; tried += 1n, value += 1n) {
      if (value > this.#last) value = this.#first;
      const address = { family: this.#subnet.family, value };
      if (this.isTaken(address)) continue;
      this.#taken.add(value);
      this.#next = value + 1n;
      return address;
    }
    return undefined;
  }

  get used(): number {
    return this.#taken.size;
  }
}
