import type { HijackableApp, Polled } from "./upgrade.ts";

/** A head that asks for what stands, whole and well-formed. Source: RFC 9112, sections 3 and 5. */
const QUESTION =
  /^((GET|HEAD) (\/(?:v(1\.\d\d)\/)?(?:_ping|version|containers\/([\w.-]+)\/json))) HTTP\/1\.1\r\n(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\0\r\n]*\r\n)*\r\n$/;
/** What makes it more than a question: a body, another protocol, an end of the connection. */
const MORE = /\r\n(?:content-length|transfer-encoding|connection|expect|upgrade):/i;
const HOST = /\r\nhost:/i;
/** Of the head, in characters: nobody's ping is longer. */
const LONGEST = 1024;

/** How many heads are known by heart: whoever asks again and again does so in the same words. */
const HEADS = 256;

interface Standing {
  readonly head: string;
  readonly body: string;
}

interface Question {
  /** Method and target. */
  readonly text: string;
  readonly method: string;
  readonly target: string;
  /** Of what is asked for again and again while somebody waits for a change, and is told by its JSON alone. */
  readonly polled?: Polled;
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
  readonly #questions = new Map<string, Question | undefined>();
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
    const question = this.#read(bytes.toString("latin1"));
    if (question === undefined) return undefined;
    if (question.polled !== undefined)
      return question.method === "GET" ? this.#polled(question.polled) : undefined;
    const standing = this.#known.get(question.text);
    if (standing !== undefined) return this.#reply(standing);
    // What goes wrong is the route's to say, which is asked now.
    void this.#learn(question).catch(() => {});
    return undefined;
  }

  #read(head: string): Question | undefined {
    const known = this.#questions.get(head);
    if (known !== undefined) return known;
    const question = questionOf(head);
    // What is no question may hold what nobody else is to keep.
    if (question === undefined) return undefined;
    if (this.#questions.size >= HEADS) this.#questions.clear();
    this.#questions.set(head, question);
    return question;
  }

  #reply({ head, body }: Standing): string {
    return `${head}Date: ${this.#now()}\r\nConnection: keep-alive\r\n\r\n${body}`;
  }

  #polled(polled: Polled): Promise<string | undefined> | undefined {
    return this.#app.polled?.(polled).then((json) => {
      if (json === undefined) return undefined;
      const length = `content-length: ${Buffer.byteLength(json) + 1}\r\ncontent-type: application/json\r\n`;
      return this.#reply({ head: `${this.#head}${length}`, body: `${json}\n` });
    });
  }

  async #learn({ text, method, target }: Question): Promise<void> {
    // Asked once: what a version that is refused gets is the route's business each time.
    if (this.#known.has(text)) return;
    this.#known.set(text, undefined);
    const response = await this.#app.fetch(new Request(`http://bunker${target}`, { method }), {});
    if (response.status !== 200) return;
    const body = await response.text();
    const fields = [...response.headers].map(([name, value]) => `${name}: ${value}\r\n`);
    this.#known.set(text, { head: `HTTP/1.1 200 OK\r\n${fields.join("")}`, body });
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

function questionOf(head: string): Question | undefined {
  const [, text, method = "", target = "", version, ref] = QUESTION.exec(head) ?? [];
  if (text === undefined || MORE.test(head) || !HOST.test(head)) return undefined;
  if (ref === undefined) return { text, method, target };
  return { text, method, target, polled: { ref, ...(version !== undefined && { version }) } };
}
