import { Fault } from "#errors";
import type { IpamDriver, IpamDriverKind } from "../driver.ts";

/** Gives nothing: for networks whose containers get their addresses elsewhere, by DHCP for one. */
class NullIpam implements IpamDriver {
  async requestPool({ subnet, range }: Parameters<IpamDriver["requestPool"]>[0]) {
    if (subnet !== "" || range !== "")
      throw new Fault("invalid", "null ipam driver does not handle specific address pool requests");
    return { poolId: "", subnet: "" };
  }

  async releasePool(): Promise<void> {}

  async requestAddress(_poolId: string, { address }: { readonly address: string }): Promise<string> {
    if (address !== "")
      throw new Fault("invalid", "null ipam driver does not handle specific address requests");
    return "";
  }

  async releaseAddress(): Promise<void> {}

  async restore(): Promise<void> {}
}

export const nullIpam: IpamDriverKind = { name: "null", open: () => new NullIpam() };
