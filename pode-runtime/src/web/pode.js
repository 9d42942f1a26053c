// A page's end of signals, by `pode.v1`: docs/protocol.md of pode.

/** A signal that was never connected. Times are in milliseconds. */
export const begun = {
  state: "waiting", // or "loading", "connecting", "catching up", "live", "closed"
  isAway: false,
  loads: false, // its state, before it connects
  mustLoad: false,
  connection: 0,
  tries: 0,
  failed: 0, // in a row, without a hello
  wasOpen: false,
  opened: 0,
  due: Infinity, // it acts then
  sendsAt: Infinity,
  room: 0,
  counted: 0,
  kept: [], // { n, text, by, again, reply, isSettled }: not acknowledged
  written: 0,
  base: 0, // how many this client has sent in another page
  handled: 0,
};

const staysAway = (code) => /^(1000|100[23789]|4001|44(?!08|09|25|29)..)$/.test(code);
const bytes = (text) => new TextEncoder().encode(text).length;
const frame = ({ n, again, text }, base) =>
  `{"n":${n + base}${again ? ',"again":true' : ""}${text ? `,"data":${text}` : ""}}`;

/** What becomes of a signal by an event, and what is to be done: `[state, actions]`. */
export function step(before, [event, what], now, random) {
  const it = { ...before };
  const actions = [];
  const act = (...action) => actions.push(action);
  const isOpen = () => it.state === "catching up" || it.state === "live";
  const turn = (state) => it.state === state || act("state", (it.state = state));

  const connect = () => {
    if (it.isAway || it.state === "closed") return;
    it.due = now + (it.failed ? 10_000 : 30_000);
    it.connection++;
    if (it.mustLoad) return turn("loading"), act("load", it.connection);
    turn("connecting");
    act("connect", it.epoch && `${it.epoch}-${it.at}`, it.ticket, it.failed % 3 > 1);
  };
  const disconnect = (state = "waiting") => {
    it.due = it.sendsAt = Infinity;
    act("disconnect", state);
    turn(state);
    tellLack();
  };
  const reconnect = () => {
    if (it.state === "connecting") it.failed++;
    if (isOpen() && now - it.opened >= 1000 * (it.beat || 25)) it.tries = 0;
    disconnect();
    if (!it.isAway) it.due = now + random * Math.min(30_000, 1000 * 2 ** it.tries++);
  };
  /** What was missed is lost. */
  const tellLack = (gap) => {
    if (!gap && !it.lacks) return;
    it.lacks = false;
    it.mustLoad = it.loads;
    if (!gap) act("reset");
    act("gap", gap ?? {});
    if (it.mustLoad && isOpen()) disconnect(), connect();
  };

  const settle = (message, error) => {
    const { n, by, again, isSettled, reply } = message;
    if (!isSettled) act(error ? "reject" : "resolve", n, error ?? reply);
    return { n, by, again, isSettled: true };
  };
  const settleUntil = (number) => {
    it.kept = it.kept.filter((message) => message.n > number || !settle(message));
  };
  const refuseAll = (error) => {
    it.kept.forEach((message) => settle(message, error));
    it.kept = [];
  };
  const write = () => {
    it.sendsAt = Infinity;
    if (!isOpen()) return;
    const { rate, connection } = it;
    if (rate) it.room = Math.min(rate, it.room + (rate * (now - it.counted)) / 1000);
    it.counted = now;
    it.kept = it.kept.map((message) => {
      if (message.by === connection || message.n <= it.handled) return message;
      if (rate && it.room < 1) {
        it.sendsAt = now + 1 + (1000 * (1 - it.room)) / rate;
        return message;
      }
      it.room--;
      const text = () => frame(message, it.base);
      if (bytes(text()) > it.max) message = settle(message, { error: "too long", status: 413 });
      act("write", text());
      it.written = Math.max(it.written, message.n);
      return { ...message, by: connection };
    });
  };

  const take = (object) => {
    const { hello, epoch, at, data, key, re, error, gap, reset, live, ack, ticket } = object;
    if (hello) {
      const { beat, max, rate, known, heard, resumed } = object;
      if (rate !== it.rate) Object.assign(it, { rate, room: rate, counted: now });
      // Where messages have no numbers, nothing tells what a new connection lacks.
      it.lacks = resumed === false || (!epoch && it.wasOpen);
      Object.assign(it, { epoch, beat, max, opened: now, wasOpen: true });
      it.failed = it.failed % 3 > 1 ? 1 : 0;
      if (known) {
        it.base = Math.max(it.base, (object.handling ?? heard) - it.written);
        it.handled = Math.max(it.handled, heard - it.base);
      } else it.kept = it.kept.map((message) => (message.by ? { ...message, again: true } : message));
      act("hello", object);
      turn("catching up");
      if (!max) refuseAll({ error: "clients only listen here", status: 405 });
      write();
    }
    it.due = it.beat ? now + 2000 * it.beat + 5000 : Infinity;
    it.ticket = ticket ?? it.ticket;
    it.epoch = epoch ?? it.epoch;
    it.at = reset ?? live ?? gap?.[1] ?? at ?? it.at;
    if (gap) tellLack(object);
    if (reset >= 0) (it.lacks = false), act("reset");
    for (const change of ["here", "join", "leave"]) if (change in object) act(change, object);
    if (re) {
      const answer = (message) => (error ? settle(message, object) : { ...message, reply: data });
      it.kept = it.kept.map((message) => (message.n === re - it.base ? answer(message) : message));
    } else if (error) act("error", object);
    if ("data" in object) act("message", data, object);
    else if (key !== undefined) act("removed", key, object);
    if (ack) settleUntil(ack - it.base);
    if (live >= 0 || (hello && !epoch)) {
      settleUntil(it.handled);
      turn("live");
      act("live");
      tellLack();
    }
  };

  const events = {
    frame: () => take(what),
    close: () => {
      const { code, reason } = what;
      act("close", { code, reason });
      if (staysAway(code)) events.end();
      else reconnect();
    },
    wake: () => {
      if (now >= it.sendsAt) write();
      if (now < it.due) return;
      if (it.state === "waiting") connect();
      else reconnect();
    },
    send: () => {
      it.kept = [...it.kept, what];
      if (it.state === "closed" || (isOpen() && !it.max)) refuseAll({ error: "it isn't sent" });
      else if (isOpen()) write();
    },
    loaded: () => {
      if (it.state !== "loading" || what.by !== it.connection) return;
      if (what.error) return reconnect();
      const [epoch, at] = what.position?.split("-") ?? [];
      Object.assign(it, { mustLoad: false, wasOpen: false, epoch, at: +at });
      connect();
    },
    online: () => {
      if (it.isAway || it.state === "closed") return;
      if (it.state !== "waiting") disconnect();
      connect();
    },
    leave: () => {
      it.isAway = true;
      if (it.state !== "closed") disconnect();
    },
    "come back": () => {
      it.isAway = false;
      if (it.state === "waiting") connect();
    },
    end: () => {
      if (it.state === "closed") return;
      disconnect("closed");
      refuseAll({ error: what?.reason || "the signal is closed" });
    },
  };
  events[event]();
  return [it, actions];
}

/**
 * Connects a signal. `state` loads what the page has of it by itself, and returns the
 * position of that: it is called first, and again after each gap.
 */
export function signal(path, { state: load } = {}) {
  const url = new URL(path, location);
  url.protocol = url.protocol.replace("http", "ws");
  const place = `pode:${url}`;
  let tickets = {};
  try {
    tickets = sessionStorage;
  } catch {
    // Then a page that is loaded again is another client.
  }
  let it = { ...begun, loads: !!load, mustLoad: !!load, ticket: tickets[place] };
  let socket, timer, ring = Infinity, count = 0, id;
  const [listeners, promises, queue] = [{}, {}, []];

  const emit = (name, ...values) => {
    for (const listener of listeners[name] ?? []) {
      try {
        listener(...values);
      } catch (error) {
        reportError(error);
      }
    }
  };
  const settle = (n, how, value) => {
    promises[n][how](value);
    delete promises[n];
  };
  const does = {
    connect: async (position, ticket, byEvents) => {
      const asked = (socket = {});
      const events = () => import(`./events.js?${it.failed}`);
      const fail = () => asked === socket && happen("close", { code: 1006 });
      const Socket = byEvents ? (await events().catch(fail))?.EventSocket : WebSocket;
      if (!Socket || asked !== socket) return;
      const to = new URL(url);
      if (position) to.searchParams.set("resume", position);
      const names = ["pode.v1", ...(ticket ? [`pode.ticket.${ticket}`] : [])];
      const own = (socket = new Socket(to, names));
      own.onmessage = ({ data }) => own === socket && happen("frame", JSON.parse(data));
      own.onclose = (close) => own === socket && happen("close", close);
    },
    disconnect: (state) => {
      // 1000 is for good.
      socket?.close?.(state === "closed" ? 1000 : 4000);
      socket = undefined;
    },
    load: (by) =>
      Promise.resolve()
        .then(load)
        .then(
          (position) => happen("loaded", { by, position }),
          (error) => (reportError(error), happen("loaded", { by, error })),
        ),
    hello: (hello) => emit("hello", (id = hello)),
    write: (text) => socket.send(text),
    resolve: (n, reply) => settle(n, "resolve", reply),
    reject: (n, why) => settle(n, "reject", Object.assign(new Error(why.error), why)),
  };
  const happen = (...event) => {
    if (queue.push(event) > 1) return;
    for (; queue.length; queue.shift()) {
      let actions;
      [it, actions] = step(it, queue[0], performance.now(), Math.random());
      for (const [action, ...values] of actions) {
        if (does[action]) does[action](...values);
        else emit(action, ...values);
      }
    }
    const due = Math.min(it.due, it.sendsAt);
    if (due >= ring) return;
    clearTimeout(timer);
    ring = due;
    timer = setTimeout(() => {
      ring = Infinity;
      happen("wake");
    }, due - performance.now());
  };

  addEventListener("online", () => happen("online"));
  // A page that is loaded again is the same client; a copy of its tab isn't.
  delete tickets[place];
  addEventListener("pagehide", () => {
    happen("leave");
    if (it.ticket) tickets[place] = it.ticket;
  });
  addEventListener("pageshow", () => {
    delete tickets[place];
    happen("come back");
  });
  document.addEventListener("freeze", () => happen("leave"));
  document.addEventListener("resume", () => happen("come back"));
  document.addEventListener("visibilitychange", () => document.hidden || happen("come back"));
  happen("come back");

  return {
    get state() {
      return it.state;
    },
    get id() {
      return id?.id;
    },
    /** Hears messages, or other events. Returns what ends that. */
    on(name, listener) {
      if (!listener) [name, listener] = ["message", name];
      listeners[name] = [...(listeners[name] ?? []), listener];
      return () => (listeners[name] = listeners[name].filter((other) => other !== listener));
    },
    /** Sends a message; resolves to the reply, if there is one, when it was handled. */
    send(data) {
      const n = ++count;
      const text = JSON.stringify(data) ?? "null";
      return new Promise((resolve, reject) => {
        promises[n] = { resolve, reject };
        happen("send", { n, text });
      });
    },
    close: () => happen("end"),
    async *[Symbol.asyncIterator]() {
      const waiting = [];
      let wake;
      const ends = [
        this.on((data) => {
          if (waiting.push(data) === 1024) happen("leave");
          wake?.();
        }),
        this.on("state", () => wake?.()),
      ];
      try {
        while (waiting.length || it.state !== "closed") {
          if (waiting.length) yield waiting.shift();
          else {
            if (it.isAway) happen("come back");
            await new Promise((done) => (wake = done));
          }
        }
      } finally {
        ends.forEach((end) => end());
      }
    },
  };
}
