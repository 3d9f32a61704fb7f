import { createApp } from "#server";
import { type FakeJobs, fakeEngine } from "./jobs.ts";
import { heldToSchemas } from "./replies.ts";
import { FACTS } from "./served.ts";

export const JSON_TYPE = { "Content-Type": "application/json" };

/** The app over fake jobs, in-process: `ask` takes a method and a path, `send` a body as JSON as well. */
export function appOver(jobs: FakeJobs) {
  const engine = fakeEngine(jobs);
  const app = heldToSchemas(createApp({ engine, facts: FACTS }));
  const ask = (line: string, init: RequestInit = {}) => {
    const [method = "GET", path = "/"] = line.split(" ");
    return app.fetch(new Request(`http://d${path}`, { ...init, method }));
  };
  const send = (line: string, body: unknown) => ask(line, { body: JSON.stringify(body), headers: JSON_TYPE });
  return { engine, ask, send };
}
