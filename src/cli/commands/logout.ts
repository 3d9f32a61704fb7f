import { defineCli } from "../command.ts";
import { ConfigFile } from "../config-file.ts";
import { eraseLogin, registryKey } from "../login/credentials.ts";

/** `bunker logout`. */
export const logout = defineCli({
  synopsis: "[SERVER]",
  about: "Log out from a registry",
  example: "bunker logout registry.example.org",
  flags: {},
  words: { min: 0, max: 1 },
  async run({ words: [server = ""], session }) {
    const registry = registryKey(server);
    const wasKnown = await eraseLogin(ConfigFile.read(session.env), registry);
    session.say(wasKnown ? `Removing login credentials for ${registry}` : `Not logged in to ${registry}`);
    return 0;
  },
});
