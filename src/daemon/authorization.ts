import { z } from "zod";
import { Fault, sentenceOf } from "#errors";
import type { Plugins } from "#plugin";
import type { AskedReply, AskedRequest, Authority } from "#server";

/** Source: Docker, "Access authorization plugin". */
const Answer = z.object({
  Allow: z.boolean().default(false),
  Msg: z.string().default(""),
  Err: z.string().optional(),
});

/** The plugins that decide over every request, asked in this order: the first that refuses has the last word. */
export function pluginAuthority(
  plugins: Pick<Plugins, "require">,
  names: readonly string[],
): Authority | undefined {
  if (names.length === 0) return undefined;
  const ask = async (call: "AuthZReq" | "AuthZRes", body: AskedReply | AskedRequest) => {
    for (const name of names) {
      const { Allow, Msg } = await answerOf(plugins, name, { call, body });
      if (!Allow) throw new Fault("denied", `authorization denied by plugin ${name}: ${Msg.slice(0, 1000)}`);
    }
  };
  return { request: (asked) => ask("AuthZReq", asked), reply: (asked) => ask("AuthZRes", asked) };
}

/** Nobody who cannot be asked has allowed anything. */
async function answerOf(
  plugins: Pick<Plugins, "require">,
  name: string,
  { call, body }: { readonly call: "AuthZReq" | "AuthZRes"; readonly body: object },
): Promise<z.infer<typeof Answer>> {
  try {
    const plugin = await plugins.require(name, "authz");
    return await plugin.call(`AuthZPlugin.${call}`, body, Answer, "question");
  } catch (thrown) {
    throw new Fault("internal", `plugin ${name} failed with error: ${sentenceOf(thrown)}`, { cause: thrown });
  }
}

/** Throws unless all of them are there: a daemon that nobody watches over shall not start. */
export async function demandAuthority(
  plugins: Pick<Plugins, "require">,
  names: readonly string[],
): Promise<void> {
  for (const name of names)
    await plugins.require(name, "authz").catch((cause) => {
      throw new Fault("unavailable", `Cannot use the authorization plugin ${name}: ${sentenceOf(cause)}`, {
        cause,
      });
    });
}
