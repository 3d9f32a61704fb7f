import { constants } from "node:os";
import { NetlinkMessage } from "#host";
import type { NetlinkStep } from "#oci";
import { addressBytes, type IpAddress } from "../addresses.ts";
import { AF_INET, AF_INET6, MAKE, RTM_DELADDR, RTM_NEWADDR, SET, step } from "./step.ts";

/** Attributes and values (linux/if_addr.h). */
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_BROADCAST = 4;
const IFA_F_NODAD = 0x02;
const { EEXIST } = constants.errno;

export interface LinkAddressRequest {
  readonly link: string;
  readonly netns: "host" | "child";
  readonly address: IpAddress;
  readonly prefixLength: number;
}

export function addAddress(request: LinkAddressRequest): NetlinkStep {
  return addressStep(RTM_NEWADDR, request);
}

export function removeAddress(request: LinkAddressRequest): NetlinkStep {
  return addressStep(RTM_DELADDR, request);
}

function addressStep(type: number, request: LinkAddressRequest): NetlinkStep {
  const { link, netns, address, prefixLength } = request;
  const message = new NetlinkMessage(type, type === RTM_NEWADDR ? MAKE : SET);
  const isV4 = address.family === 4;
  // An IPv6 address is usable at once: it was given by us, so nobody else can have it.
  const start = message.fields(
    [1, isV4 ? AF_INET : AF_INET6],
    [1, prefixLength],
    [1, isV4 ? 0 : IFA_F_NODAD],
    [1, 0],
    [4, 0],
  );
  message.attribute(IFA_LOCAL, addressBytes(address));
  message.attribute(IFA_ADDRESS, addressBytes(address));
  if (isV4 && prefixLength < 31) message.attribute(IFA_BROADCAST, broadcastBytes(address, prefixLength));
  const verb = type === RTM_NEWADDR ? "give" : "take from";
  return step(message, {
    netns,
    purpose: `${verb} ${link} its address`,
    patches: [{ offset: start + 4, kind: "index", name: link }],
    tolerate: type === RTM_NEWADDR ? [EEXIST] : [constants.errno.EADDRNOTAVAIL],
  });
}

function broadcastBytes({ family, value }: IpAddress, prefixLength: number): Uint8Array {
  return addressBytes({ family, value: value | ((1n << BigInt(32 - prefixLength)) - 1n) });
}
