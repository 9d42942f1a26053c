// The state machine of pode.js against a model of a server, a network and a page, in
// virtual time: whatever happens, in an order that a seed determines.

import { begun, step } from "/_pode/pode.js";

const epoch = (number) => number.toString(16).padStart(16, "0");
const HISTORY = 40;

/** Numbers from 0 to 1, the same for the same seed (xorshift32). */
function chance(seed) {
  let state = seed * 2654435761 + 1 || 1;
  const next = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
  for (let i = 0; i < 8; i++) next();
  return next;
}

class World {
  constructor(seed, { loads = false, rate, isNumbered = true } = {}) {
    this.isNumbered = isNumbered;
    this.random = chance(seed);
    this.now = 0;
    this.page = { ...begun, loads, mustLoad: loads };
    this.rate = rate;
    this.log = []; // of this epoch: [number, to]
    this.epoch = epoch(0);
    this.epochs = 0;
    this.sessions = new Map(); // ticket → { heard, seen }
    this.tickets = 0;
    this.link = undefined; // { toPage: [[at, frame]], toServer: [...], ticket }
    this.isUp = true;
    // What the page has seen.
    this.at = undefined; // [epoch, number] behind the last message, or where it began
    this.isCertain = false;
    this.sent = 0; // by this page
    this.all = 0; // by all of this client
    this.settled = new Map();
    this.handled = new Map(); // what was sent → how often
    this.room = this.rate; // how much it may send
    this.counted = 0;
    this.heard = 0;
    this.owesGap = false;
    this.mustLoad = loads;
    this.loads = [];
    this.told = { messages: 0, gaps: 0, connections: 0 };
  }

  fail(what) {
    const { kept, ...page } = this.page;
    throw new Error(`${what}: ${JSON.stringify(page)}, ${kept.length} kept, at ${this.now}`);
  }

  one(list) {
    return list[Math.floor(this.random() * list.length)];
  }

  /** Has the page take an event, and does what it says. */
  page_(...event) {
    let actions;
    const before = JSON.stringify(this.page);
    const old = this.page;
    [this.page, actions] = step(this.page, event, this.now, this.random());
    if (JSON.stringify(old) !== before) this.fail("the machine changed its state in place");
    for (const [action, ...values] of actions) this.act(action, ...values);
    const { state, isAway, due, sendsAt } = this.page;
    if (this.owesGap && state !== "catching up") this.fail("it doesn't tell that something is missing");
    if (sendsAt <= this.now) this.fail("it acts again and again");
    if (!isAway && state !== "closed" && due === Infinity && !this.hasNoBeat) {
      this.fail("it waits for ever");
    }
  }

  act(action, ...values) {
    switch (action) {
      case "connect": {
        if (this.link?.isOfPage) this.fail("two connections");
        this.told.connections++;
        const [position, ticket] = values;
        if (this.mustLoad) this.fail("it connects without a state");
        this.link = { isOfPage: true, toPage: [], toServer: [], position, ticket, isNew: true };
        break;
      }
      case "disconnect":
        if (this.link) this.link.isOfPage = false;
        this.link = undefined;
        break;
      case "load": {
        // The state of a page is of some moment before now.
        if (this.link) this.fail("it loads, and is connected");
        this.loads.push([this.now + this.random() * 200, values[0]]);
        break;
      }
      case "write":
        if (!this.link) this.fail("it writes without a connection");
        this.room = Math.min(this.rate, this.room + ((this.now - this.counted) * this.rate) / 1000);
        this.counted = this.now;
        if (--this.room < -0.01) this.fail("it sends too much");
        this.link.toServer.push([this.now + this.random() * 50, JSON.parse(values[0])]);
        break;
      case "message":
        this.hear(values[0], values[1]);
        break;
      case "gap":
        this.told.gaps++;
        this.isCertain = this.owesGap = false;
        this.mustLoad = this.page.loads;
        break;
      case "resolve":
      case "reject":
        if (this.settled.has(values[0])) this.fail(`${values[0]} is settled twice`);
        if (!(values[0] <= this.sent)) this.fail(`${values[0]} was never sent`);
        this.settled.set(values[0], [action, values[1]]);
        break;
    }
  }

  /** The page hears of a message: in its order, and each, or it was told. */
  hear(data, { at, re }) {
    this.told.messages++;
    const epoch = this.page.epoch;
    if (!this.isNumbered) at = +data.split(" ")[1];
    if (this.isCertain && this.at && this.at[0] === epoch) {
      if (at <= this.at[1]) this.fail(`${at} comes behind ${this.at[1]}`);
      const missed = this.log.find(([n, to]) => n > this.at[1] && n < at && this.isMine(to));
      if (missed && this.epoch === epoch) this.fail(`${missed[0]} is missing before ${at}`);
    }
    this.at = [epoch, at];
    this.isCertain = true;
    if (re && data !== `reply ${at} to ${re}`) this.fail("a reply of another");
  }

  isMine(to) {
    return to === undefined || to === this.page.me;
  }

  // The server.

  publish(data, to, re) {
    const number = (this.log.at(-1)?.[0] ?? 0) + 1;
    data = data.replace("#", number);
    const entry = [number, to, data, re];
    this.log.push(entry);
    const { link } = this;
    if (link?.session && (to === undefined || to === link.session.id)) {
      this.push(link, { at: this.isNumbered ? number : undefined, data, re });
    }
  }

  push(link, frame) {
    const after = Math.max(this.now, link.last ?? 0) + this.random() * 30;
    link.last = after;
    link.toPage.push([after, frame]);
  }

  accept(link) {
    const { position, ticket } = link;
    link.isNew = false;
    const lucky = this.random();
    if (!this.isUp || lucky < 0.1) return this.cut(link, 1006);
    if (lucky < 0.15) return this.cut(link, this.one([4503, 4429, 4408]));
    if (lucky < 0.17 && this.mayClose) return this.cut(link, 4403);
    const known = ticket === undefined ? undefined : this.sessions.has(ticket);
    const session = known ? this.sessions.get(ticket) : { heard: 0, id: `c${++this.tickets}` };
    const next = `t${++this.tickets}`;
    this.sessions.set(next, session);
    link.session = session;
    const top = this.log.at(-1)?.[0] ?? 0;
    const first = (this.log[Math.max(0, this.log.length - HISTORY)]?.[0] ?? 1) - 1;
    const [epoch, since] = position?.split("-") ?? [];
    const isGood = epoch === this.epoch && +since >= first && +since <= top;
    const from = position ? (isGood ? +since : first) : top;
    const hello = { hello: 1, epoch: this.epoch, at: from, id: session.id, me: session.id };
    Object.assign(hello, { beat: 5, ticket: next, heard: session.heard, known, max: 200 });
    if (this.rate) hello.rate = this.rate;
    if (!this.isNumbered) {
      if (position) this.fail("it has a position where there are none");
      delete hello.epoch;
      delete hello.at;
      return this.push(link, hello);
    }
    if (position) hello.resumed = isGood;
    this.push(link, hello);
    if (position && !isGood) {
      this.push(link, { gap: [+since, from], why: "age", epoch: this.epoch });
    }
    for (const [number, to, data, re] of this.log) {
      if (number > from && (to === undefined || to === session.id)) {
        this.push(link, { at: number, data, re });
      }
    }
    this.push(link, { live: top });
  }

  take(link, { n, data, again }) {
    const { session } = link;
    if (!session) return;
    if (n <= this.heard) this.fail(`${n} is sent again, although it is handled`);
    if (!(n > 0)) this.fail("a message has no number");
    if (n <= session.heard) return this.push(link, { ack: session.heard });
    if (session.heard > 0 && n !== session.heard + 1) this.fail(`${n} comes behind ${session.heard}`);
    session.heard = n;
    if (data !== undefined) {
      const seen = this.handled.get(data);
      if (seen && !again) this.fail(`${data} is handled twice, and not marked`);
      this.handled.set(data, (seen ?? 0) + 1);
    }
    const lucky = this.random();
    if (lucky < 0.3) this.publish(`reply # to ${n}`, session.id, n);
    else if (lucky < 0.4) this.push(link, { error: "no", status: 409, re: n });
    // What is lost on the way isn't told again, but by a hello.
    if (lucky < 0.8) this.push(link, { ack: n });
    else session.owes = true;
  }

  cut(link, code, reason = "") {
    link.session = undefined;
    link.closes = [this.now + this.random() * 100, { code, reason }];
    // What was under way may be lost.
    link.toPage.length = Math.floor(this.random() * (link.toPage.length + 1));
    link.toServer.length = Math.floor(this.random() * (link.toServer.length + 1));
  }

  restart() {
    this.epoch = epoch(++this.epochs);
    this.log = [];
    this.sessions.clear();
    if (this.link) this.cut(this.link, 1006);
  }

  /** Lets time go on to the next thing that is due, at most so far. */
  advance(most) {
    const { link, page } = this;
    const until = this.now + most;
    const times = [until, Math.min(page.due, page.sendsAt), this.loads[0]?.[0] ?? Infinity];
    for (const queue of [link?.toPage, link?.toServer]) if (queue?.[0]) times.push(queue[0][0]);
    if (link?.closes && !link.toPage.length) times.push(link.closes[0]);
    this.now = Math.max(this.now, Math.min(...times));
    if (this.loads[0]?.[0] <= this.now) {
      const [, by] = this.loads.shift();
      const number = this.log.at(-1)?.[0] ?? 0;
      const fails = this.random() < 0.2;
      if (!fails && by === this.page.connection && this.page.state === "loading") {
        [this.at, this.isCertain, this.mustLoad] = [[this.epoch, number], this.isNumbered, false];
      }
      if (!this.mustLoad) this.wasOpen = false;
      const error = fails && new Error("the page can't load");
      const position = this.isNumbered ? `${this.epoch}-${number}` : undefined;
      return this.page_("loaded", { by, position, error });
    }
    if (link?.isNew) return this.accept(link);
    if (link?.toServer[0]?.[0] <= this.now) return this.take(link, link.toServer.shift()[1]);
    if (link?.toPage[0]?.[0] <= this.now) {
      const frame = link.toPage.shift()[1];
      if (frame.hello) {
        if (frame.resumed === undefined && frame.epoch) {
          [this.at, this.isCertain] = [[frame.epoch, frame.at], true];
        }
        this.owesGap = frame.resumed === false || (!frame.epoch && this.wasOpen);
        this.wasOpen = true;
        this.heard = frame.known ? frame.heard : 0;
      }
      return this.page_("frame", frame);
    }
    if (link?.closes?.[0] <= this.now && !link.toPage.length) {
      return this.page_("close", link.closes[1]);
    }
    if (Math.min(page.due, page.sendsAt) <= this.now) return this.page_("wake");
  }

  send() {
    const n = ++this.sent;
    this.all++;
    const text = this.random() < 0.05 ? JSON.stringify("x".repeat(300)) : `"${this.all}"`;
    this.page_("send", { n, text });
  }

  /** The page is loaded again. */
  reload() {
    this.page_("leave");
    const { ticket, loads } = this.page;
    this.page = { ...begun, loads, mustLoad: loads, ticket };
    this.at = undefined;
    this.isCertain = this.owesGap = this.wasOpen = false;
    this.mustLoad = loads;
    this.loads = [];
    this.sent = 0;
    // What two pages send in one second, the server takes.
    this.room = this.rate;
    this.settled.clear();
    this.page_("come back");
  }

  happen() {
    const lucky = this.random();
    if (lucky < 0.55) return this.advance(this.random() * 1000);
    if (lucky < 0.75) return this.publish("news #", this.random() < 0.2 ? "other" : undefined);
    if (lucky < 0.87) return this.send();
    if (lucky < 0.9 && this.link) return this.cut(this.link, this.one([1006, 1001, 1012, 4409]));
    if (lucky < 0.91 && this.link?.session) {
      // With its position, as far as was written.
      const last = this.link.toPage.findLast(([, { at }]) => at)?.[1].at ?? this.page.at;
      this.link.closes = [this.link.last ?? this.now, { code: 1001, reason: `bye; resume=${this.epoch}-${last}` }];
      this.link.session = undefined;
      return;
    }
    if (lucky < 0.915) return this.restart();
    if (lucky < 0.93) return (this.isUp = !this.isUp);
    if (lucky < 0.94) return this.page_("leave");
    if (lucky < 0.96) return this.page_("come back");
    if (lucky < 0.965) return this.page_("online");
    if (lucky < 0.968) return this.reload();
    if (this.link?.session) return this.push(this.link, this.beatFrame());
  }

  beatFrame() {
    const { session } = this.link;
    const at = this.isNumbered ? (this.log.at(-1)?.[0] ?? 0) : undefined;
    const ack = session.owes ? session.heard : undefined;
    session.owes = false;
    return { at, ack };
  }

  /** All is well again: everything comes, and is settled. */
  settle() {
    this.isUp = true;
    this.page_("come back");
    let isLost = this.sent === 0;
    for (let i = 0; i < 100_000; i++) {
      const isSettled = this.settled.size === this.sent;
      if (this.page.state === "closed" && isSettled) return;
      const top = this.log.at(-1)?.[0] ?? 0;
      if (this.page.state === "live" && isSettled && !(this.page.at < top)) return;
      if (this.link?.session && i % 20 === 19) this.push(this.link, this.beatFrame());
      // The last acknowledgement is lost, once.
      const { heard } = this.link?.session ?? {};
      if (heard > 0 && heard - this.page.base === this.sent && isLost === false) {
        isLost = true;
        this.cut(this.link, 1006);
        this.link.toPage.length = 0;
      }
      this.advance(2000);
    }
    this.fail(`after all, ${this.sent - this.settled.size} are unsettled`);
  }
}

/** Goes so many steps in a world of this seed. */
export function run(seed, steps, options) {
  const world = new World(seed, options);
  world.mayClose = seed % 7 === 0;
  world.page_("come back");
  for (let i = 0; i < steps && world.page.state !== "closed"; i++) world.happen();
  world.settle();
  return world.told;
}

/** Returns how often a wait was in each tenth of its longest. */
export function waits(count) {
  const random = chance(1);
  const tenths = new Array(10).fill(0);
  for (let i = 0; i < count; i++) {
    const connecting = { ...begun, state: "connecting", tries: 9 };
    const [{ due }] = step(connecting, ["close", { code: 1006, reason: "" }], 0, random());
    tenths[Math.floor(due / 3000)]++;
  }
  return tenths;
}
