// A connection without a WebSocket, for pode.js: it hears an event stream, and sends by POST.

/** Returns an event of the stream as the object of `pode.v1` that it stands for. */
export function read(event) {
  const fields = {};
  for (const line of event.split("\n")) {
    const [, name, value] = /^([^:]*):? ?(.*)$/.exec(line);
    fields[name] = name === "data" && "data" in fields ? `${fields.data}\n${value}` : value;
  }
  const { event: name, id, key, re, ack, data, retry } = fields;
  if (name || retry) return { name, text: data };
  const members = { at: id?.split("-")[1], key, re, ack, data };
  const known = Object.entries(members).filter(([, value]) => value !== undefined);
  return { text: `{${known.map(([member, value]) => `"${member}":${value}`)}}` };
}

/** Looks as a WebSocket that speaks `pode.v1`. */
export class EventSocket {
  #leaving = new AbortController();
  #waiting = [];

  constructor(url, [, ticket]) {
    url.protocol = url.protocol.replace("ws", "http");
    this.#listen(url, ticket?.replace("pode.ticket.", ""));
  }

  #ask(url, ticket, options) {
    const headers = { Accept: "text/event-stream" };
    if (ticket) headers["X-Pode-Ticket"] = ticket;
    const { signal } = this.#leaving;
    return fetch(url, { credentials: "include", cache: "no-store", headers, signal, ...options });
  }

  async #listen(url, ticket) {
    let end = { code: 1006, reason: "" };
    try {
      const response = await this.#ask(url, ticket);
      if (response.ok) end = (await this.#hear(url, response.body)) ?? end;
      else end = { code: 4000 + response.status, reason: (await response.text()).trim() };
    } catch {
      // It was cut off, or leaves.
    }
    this.#leave(end);
  }

  async #hear(url, body) {
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    url.searchParams.delete("resume");
    for (let begun = ""; ; ) {
      const { value, done } = await reader.read();
      if (done) return;
      const events = (begun + value).split("\n\n");
      begun = events.pop();
      for (const { name, text } of events.map(read)) {
        if (name === "close") return JSON.parse(text);
        if (name === "hello" || name === "ticket") {
          const { ticket } = JSON.parse(text);
          this.post = (message) => this.#ask(url, ticket, { method: "POST", body: message });
        }
        if (text) this.onmessage({ data: text });
      }
    }
  }

  /** Messages go one after the other: they come in their order. */
  async send(message) {
    if (this.#waiting.push(message) > 1) return;
    try {
      for (; this.#waiting.length; this.#waiting.shift()) {
        let status;
        while ((status = (await this.post(this.#waiting[0])).status) === 503) {
          await new Promise((done) => setTimeout(done, 1000));
        }
        if (status !== 202) throw status;
      }
    } catch {
      // Whoever comes back sends it again.
      this.#leave({ code: 1006, reason: "" });
    }
  }

  #leave(end) {
    this.close();
    this.onclose?.(end);
    this.onclose = undefined;
  }

  close() {
    this.#leaving.abort();
  }
}
