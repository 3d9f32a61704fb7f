import { expect, test } from "bun:test";
import { type AskedRequest, authorized, createApp } from "#server";
import { fakeEngine } from "../fakes/jobs.ts";
import { FACTS } from "../fakes/served.ts";

test.each([
  ["/containers/json?all=1", "/containers/json?all=1"],
  ["/v1.44/containers/json", "/v1.44/containers/json"],
  ["/v1.44/_ping/../containers/json?all=1", "/v1.44/containers/json?all=1"],
  ["/x/%2e%2e/containers/json", "/containers/json"],
  ["//v1.44//containers//json", "/v1.44/containers/json"],
  ["/containers/json/", "/containers/json"],
  ["/containers/json#?all=1", "/containers/json?all=1"],
])("whoever decides over %s sees what is done: %s", async (target, seen) => {
  const asked: AskedRequest[] = [];
  const authority = {
    async request(one: AskedRequest) {
      asked.push(one);
    },
    async reply() {},
  };
  const app = authorized(
    createApp({ engine: fakeEngine({ "container.list": async () => [] }), facts: FACTS }),
    () => authority,
  );
  const incoming = { url: target } as never;
  const response = await app.fetch(new Request(`http://d${target}`), { incoming });
  expect(response.status).toBe(200);
  expect(asked.map(({ RequestUri }) => RequestUri)).toEqual([seen]);
});

test.each(["c/exec", "run?condition=x"])(
  "where somebody decides over each call, %s in one call is not known",
  async (call) => {
    const allows = { async request() {}, async reply() {} };
    const inner = createApp({ engine: fakeEngine({}), facts: FACTS });
    const take = () => {
      throw new Error("The connection was given away");
    };
    const hijack = { gone: new AbortController().signal, protocol: "tcp", take };
    const ask = async (app: typeof inner) => {
      const body = JSON.stringify({ Cmd: [] });
      const headers = { "Content-Type": "application/json" };
      const target = `http://d/bunker/containers/${call}`;
      return (await app.fetch(new Request(target, { method: "POST", headers, body }), { hijack })).status;
    };
    expect(await ask(authorized(inner, () => allows))).toBe(404);
    expect(await ask(inner)).toBe(400);
  },
);
