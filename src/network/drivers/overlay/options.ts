import { didYouMean, Fault } from "#errors";
import type { Network } from "../../types.ts";

/** Source: Docker, overlay driver. */
export const ENCRYPTED = "encrypted";
export const VNI = "com.docker.network.driver.overlay.vxlanid_list";
export const MTU = "com.docker.network.driver.mtu";
/** Docker's first; the largest that VXLAN has. */
export const FIRST_VNI = 4096;
const MAX_VNI = 0xff_ffff;
const KNOWN = [ENCRYPTED, VNI, MTU];

/** IANA's for VXLAN. Encrypted networks have another, so that the kernel can tell what must never be plain. */
export const PLAIN_PORT = 4789;
export const ENCRYPTED_PORT = 4790;

/** Bytes that VXLAN puts before a frame: the outer IP header, UDP, VXLAN, the inner Ethernet header. */
const OVERHEAD = { 4: 50, 6: 70 } as const;
/** ESP with AES-GCM: header, initialisation vector, padding, trailer and check value. */
const ESP_OVERHEAD = 40;
const LEAST_MTU = 576;

export const isEncrypted = ({ options }: Pick<Network, "options">): boolean =>
  options[ENCRYPTED] !== undefined && !["false", "0"].includes(options[ENCRYPTED]);

export const portOf = (network: Pick<Network, "options">): number =>
  isEncrypted(network) ? ENCRYPTED_PORT : PLAIN_PORT;

/** Throws `invalid` naming the option. */
export function checkOptions({ options }: Pick<Network, "options">): void {
  const unknown = Object.keys(options).find((key) => !KNOWN.includes(key));
  if (unknown !== undefined)
    throw new Fault(
      "invalid",
      `Cannot use the option ${unknown}: overlay networks have ${KNOWN.join(", ")}${didYouMean(unknown, KNOWN)}`,
    );
  const encrypted = options[ENCRYPTED] ?? "";
  if (!["", "true", "1", "false", "0"].includes(encrypted))
    throw new Fault("invalid", `Cannot use the option ${ENCRYPTED}=${encrypted}: it is true or false`);
  const mtu = options[MTU];
  if (mtu !== undefined && !(/^\d+$/.test(mtu) && Number(mtu) >= 68 && Number(mtu) <= 65_535))
    throw new Fault(
      "invalid",
      `Cannot use the option ${MTU}=${mtu}: it is a number of bytes from 68 to 65535`,
    );
  if (options[VNI] !== undefined) vniOf({ options });
}

/** Undefined until one is given. */
export function vniOf({ options }: Pick<Network, "options">): number | undefined {
  const text = options[VNI];
  if (text === undefined) return undefined;
  const vni = Number(text);
  if (/^\d+$/.test(text) && vni >= 1 && vni <= MAX_VNI) return vni;
  throw new Fault(
    "invalid",
    `Cannot use the option ${VNI}=${text}: a network has one VXLAN id, from 1 to ${MAX_VNI}`,
  );
}

/** The lowest from Docker's first on that nobody has. */
export function chooseVni(taken: ReadonlySet<number>): number {
  let vni = FIRST_VNI;
  while (taken.has(vni)) vni += 1;
  if (vni > MAX_VNI) throw new Fault("conflict", "Cannot make an overlay network: every VXLAN id is in use");
  return vni;
}

/** What a container may send so that the frame still fits the link that carries it. */
export function mtuOf(network: Pick<Network, "options">, underlay: { family: 4 | 6; mtu: number }): number {
  const asked = network.options[MTU];
  if (asked !== undefined) return Number(asked);
  const overhead = OVERHEAD[underlay.family] + (isEncrypted(network) ? ESP_OVERHEAD : 0);
  return Math.max(underlay.mtu - overhead, LEAST_MTU);
}
