/** The ways of telling the kernel, for `choose` and for the suite that they all pass. */
export { IptablesBackend } from "./iptables.ts";
export { NftBackend } from "./nft.ts";
