import { z } from "zod";
import { Text } from "./lenient.ts";

/** The body of POST /auth, and what X-Registry-Auth holds. Source: Docker Engine API, AuthConfig. */
export const AuthBody = z.object({
  username: Text,
  password: Text,
  auth: Text,
  serveraddress: Text,
  identitytoken: Text,
  registrytoken: Text,
});

/** Reply of POST /auth. The token is empty where the registry gave none. */
export const AuthReply = z.object({ Status: z.string(), IdentityToken: z.string() });
export type AuthReply = z.infer<typeof AuthReply>;
