import { relayStream } from "#client";
import { defineCli } from "../command.ts";
import { openInput } from "../terminal.ts";

/** `bunker system dial-stdio`: what ssh:// runs on the other host. */
export const dialStdio = defineCli({
  synopsis: "",
  about: "Proxy the stdio stream to the daemon connection",
  example: "bunker --host unix:///run/bunker/bunker.sock system dial-stdio",
  flags: {},
  words: { min: 0, max: 0 },
  async run({ session }) {
    using input = await openInput({ isRaw: false });
    await relayStream(session.daemon, input.bytes, (bytes) => session.console.out(bytes));
    return 0;
  },
});
