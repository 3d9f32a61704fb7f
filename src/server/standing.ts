import type { HijackableApp } from "./upgrade.ts";

/** A head that asks for what stands, whole and well-formed. Source: RFC 9112, sections 3 and 5. */
const QUESTION =
  /^((?:GET|HEAD) (\/(?:v1\.\d\d\/)?(?:_ping|version|containers\/[\w.-]+\/json))) HTTP\/1\.1\r\n(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\0\r\n]*\r\n)*\r\n$/;
/** What makes it more than a question: a body, another protocol, an end of the connection. */
const MORE = /\r\n(?:content-length|transfer-encoding|connection|expect|upgrade):/i;
const HOST = /\r\nhost:/i;
/** Of the head, in characters: nobody's ping is longer. */
const LONGEST = 1024;

/** What is asked for again and again while somebody waits for a change, and is told by its JSON alone. */
const POLLED = /\/containers\//;

interface Standing {
  readonly head: string;
  readonly body: string;
}

/**
 * Replies that need no HTTP server set in motion. Some stay as they are for as long as the daemon runs: every client
 * pings before it asks for anything, and some ping all the time. What a route has said once is what is said from then
 * on; what is not known yet is left to the route. Others are polled, and the app has their text at hand; whatever is
 * not a plain success is left to the route as well.
 */
export class StandingReplies {
  readonly #app: HijackableApp;
  readonly #head: string;
  readonly #known = new Map<string, Standing | undefined>();
  #second = 0;
  #date = "";

  constructor(app: HijackableApp) {
    this.#app = app;
    const fields = app.headers.map(([name, value]) => `${name.toLowerCase()}: ${value}\r\n`);
    this.#head = `HTTP/1.1 200 OK\r\n${fields.join("")}`;
  }

  /** The reply to the one head that these bytes are; undefined, then or later, where the HTTP server has to answer. */
  answer(bytes: Buffer): string | Promise<string | undefined> | undefined {
    if (bytes.length > LONGEST || this.#app.isJudged?.() === true) return undefined;
    const text = bytes.toString("latin1");
    const [, question, target = ""] = QUESTION.exec(text) ?? [];
    if (question === undefined || MORE.test(text) || !HOST.test(text)) return undefined;
    if (POLLED.test(target)) return question.startsWith("GET") ? this.#polled(target) : undefined;
    const standing = this.#known.get(question);
    if (standing !== undefined) return this.#reply(standing);
    // What goes wrong is the route's to say, which is asked now.
    void this.#learn(question, target).catch(() => {});
    return undefined;
  }

  #reply({ head, body }: Standing): string {
    return `${head}Date: ${this.#now()}\r\nConnection: keep-alive\r\n\r\n${body}`;
  }

  #polled(target: string): Promise<string | undefined> | undefined {
    return this.#app.polled?.(target).then((json) => {
      if (json === undefined) return undefined;
      const length = `content-length: ${Buffer.byteLength(json) + 1}\r\ncontent-type: application/json\r\n`;
      return this.#reply({ head: `${this.#head}${length}`, body: `${json}\n` });
    });
  }

  async #learn(question: string, target: string): Promise<void> {
    // Asked once: what a version that is refused gets is the route's business each time.
    if (this.#known.has(question)) return;
    this.#known.set(question, undefined);
    const [method = "GET"] = question.split(" ", 1);
    const response = await this.#app.fetch(new Request(`http://bunker${target}`, { method }), {});
    if (response.status !== 200) return;
    const body = await response.text();
    const fields = [...response.headers].map(([name, value]) => `${name}: ${value}\r\n`);
    this.#known.set(question, { head: `HTTP/1.1 200 OK\r\n${fields.join("")}`, body });
  }

  /** Source: RFC 9110, section 5.6.7. */
  #now(): string {
    const second = Math.trunc(Date.now() / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#date = new Date(second * 1000).toUTCString();
    }
    return this.#date;
  }
}
