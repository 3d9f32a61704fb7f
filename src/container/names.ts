import { Fault } from "#errors";
import { ADJECTIVES, SURNAMES } from "./words.ts";

/** Source: Docker Engine API, POST /containers/create, parameter `name`. */
const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;
const LONGEST_NAME = 255;
/** Tries without a digit before digits are added. */
const PLAIN_TRIES = 6;

/** The name without its slash. Throws `invalid` in Docker's words. */
export function checkName(text: string): string {
  const name = text.startsWith("/") ? text.slice(1) : text;
  if (NAME.test(name) && name.length <= LONGEST_NAME) return name;
  throw new Fault(
    "invalid",
    `Invalid container name (${text.slice(0, LONGEST_NAME)}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`,
  );
}

/** `adjective_surname`, with more and more digits once plain ones turn out to be taken. */
export function randomName(attempt: number): string {
  const name = `${pick(ADJECTIVES)}_${pick(SURNAMES)}`;
  if (attempt < PLAIN_TRIES) return name;
  return `${name}${Math.floor(Math.random() * 10 ** (attempt - PLAIN_TRIES + 1))}`;
}

export function nameTaken(name: string, owner: string): Fault {
  return new Fault(
    "conflict",
    `Conflict. The container name "/${name}" is already in use by container "${owner}". You have to remove (or rename) that container to be able to reuse that name.`,
  );
}

function pick(words: readonly string[]): string {
  return words[Math.floor(Math.random() * words.length)] ?? "";
}
