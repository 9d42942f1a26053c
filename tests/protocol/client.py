"""A client of `pode.v1`, as docs/protocol.md tells it.

`Machine` is all of the protocol, without I/O: whatever happens is told to it, and it
returns what is to be done. `Connection` is a WebSocket by the standard library, for
one machine and one connection.
"""

import base64
import hashlib
import json
import os
import re
import socket
import struct

PROTOCOL = "pode.v1"
STAYS_AWAY = {1000, 1002, 1003, 1007, 1008, 1009, 4001}
COMES_BACK = {4408, 4409, 4425, 4429}
# How long a hello may take.
HELLO_SECONDS = 30
RESUME = re.compile(r"resume=([0-9a-f]{16}-([0-9]+))(?![^ ;])")


class Machine:
    """What a client knows and does.

    Its methods are what happens; each returns a list of what follows, in order:

    - `("request", path, subprotocols)`: connect so
    - `("send", text)`: send this frame
    - `("told", {…})`: what the program learns; see README.md
    - `("leave",)`: leave the connection, which is lost
    - `("back", bool)`: whether it comes back by itself, after `delay` seconds
    """

    def __init__(self, path, position=None, ticket=None):
        self.path, self.position, self.ticket = path, position, ticket
        # Whether the response chose the protocol, and the hello of this connection.
        self.speaks, self.hello = False, None
        # Whether there is a connection whose hello is still to come.
        self.awaits_hello = False
        self.epoch = None
        # What the program has sent since the connection ended.
        self.waiting = []
        # The messages that aren't acknowledged, as they are sent, the last number, and the
        # last one that was sent by this connection.
        self.kept, self.last, self.sent = [], 0, 0
        # How many messages the server takes in a second, if it says so, and how many of
        # those that were sent, by whatever connection, still count for that.
        self.rate, self.counted = None, 0
        self.attempts = 0
        # Whether each client that is present is told, and not only their number.
        self.lists = True

    def connect(self):
        self.speaks, self.hello, self.awaits_hello = False, None, True
        path = self.path
        if self.position:
            path += ("&" if "?" in path else "?") + "resume=" + self.position
        offered = [PROTOCOL] + (["pode.ticket." + self.ticket] if self.ticket else [])
        return [("request", path, offered)]

    def opened(self, chosen):
        self.speaks = self.awaits_hello = chosen == PROTOCOL
        return []

    def closed(self, code, reason=""):
        self.speaks, self.hello, self.awaits_hello = False, None, False
        found = RESUME.search(reason)
        if found and int(found[2]) < 2**64:
            self.position = found[1]
        self.attempts += 1
        refused = 4400 <= code <= 4499 and code not in COMES_BACK
        return [("back", not refused and code not in STAYS_AWAY)]

    def silent(self, seconds):
        """So many seconds ago the last frame came, or the client began to connect."""
        if self.awaits_hello:
            most = HELLO_SECONDS
        elif self.hello and "beat" in self.hello:
            most = 2 * self.hello["beat"] + 5
        else:
            return []
        if seconds <= most:
            return []
        return [("leave",)] + self.closed(1006)

    def passes(self, seconds):
        """So many seconds have passed: what waited for them may be sent."""
        self.counted = max(0, self.counted - seconds * (self.rate or 0))
        return self.send_waiting()

    def pause(self):
        """After how many seconds the next message may be sent; `None` if at once."""
        if self.may_send():
            return None
        return (self.counted + 1 - self.rate) / self.rate

    def may_send(self):
        return not self.rate or self.counted + 1 <= self.rate

    def delay(self, random):
        """How long to wait before coming back; `random` is from 0 to 1."""
        return random * min(60, 2 ** min(self.attempts, 6))

    def send(self, data):
        """Sends a message that is handled once, if need be after the next hello.

        It gets its number when it is sent, and keeps it.
        """
        self.waiting.append(data)
        return self.send_waiting() if self.hello else []

    def send_once(self, data):
        """Sends a message that may be lost, if there is a connection."""
        text = write({"data": data})
        fits = self.hello and len(text.encode()) <= self.hello.get("max", 0)
        if not fits or not self.may_send():
            return []
        self.counted += 1 if self.rate else 0
        return [("send", text)]

    def receive(self, text):
        if not self.speaks:
            return [("told", {"text": text})]
        frame = json.loads(text)
        if "hello" in frame:
            return self.begin(frame)
        if not frame.keys() - {"at"}:
            # A sign of life: this connection has lasted for a while.
            self.attempts = 0
        self.epoch = frame.get("epoch", self.epoch)
        if "gap" in frame and frame["gap"]:
            self.move(frame["gap"][1])
        self.move(frame.get("at", frame.get("live", frame.get("reset"))))
        self.ticket = frame.get("ticket", self.ticket)
        told = self.acknowledge(frame["ack"]) if "ack" in frame else []
        about = {"re": frame["re"]} if "re" in frame else {}
        if "error" in frame:
            status = {"status": frame["status"]} if "status" in frame else {}
            told.append({"error": {"error": frame["error"], **status, **about}})
        if "data" in frame:
            about.update({"key": frame["key"]} if "key" in frame else {})
            told.append({"message": {"data": frame["data"], **about}})
        elif "key" in frame:
            told.append({"removed": frame["key"]})
        if "reset" in frame:
            told.append("reset")
        if "gap" in frame:
            told.append({"gap": frame["gap"], "why": frame.get("why")})
        if "here" in frame:
            # Else only how many they are.
            self.lists = frame["here"] is not None
            count = {} if self.lists else {"count": frame["count"]}
            told.append({"here": frame["here"], **count})
        if "join" in frame and self.lists:
            told.append({"joined": frame["join"], "info": frame["info"]})
        if "leave" in frame and self.lists:
            told.append({"left": frame["leave"]})
        if "live" in frame:
            told.append("live")
        return [("told", it) for it in told]

    def begin(self, hello):
        self.hello, self.awaits_hello = hello, False
        if "beat" not in hello:
            self.attempts = 0
        self.epoch, self.position = hello.get("epoch"), None
        self.move(hello.get("at"))
        self.ticket = hello.get("ticket", self.ticket)
        self.rate, self.sent = hello.get("rate"), 0
        self.counted = min(self.counted, self.rate or 0)
        told = [{"hello": {key: hello[key] for key in ("id", "resumed") if key in hello}}]
        if hello.get("known"):
            # A program that has begun anew, with an old ticket, goes on behind it.
            self.last = max(self.last, hello.get("handling", hello["heard"]))
            told += self.acknowledge(hello["heard"])
            told += self.give_up()
        else:
            # Nobody knows which of these were handled.
            for message in self.kept:
                message["again"] = True
            told += self.give_up()
            if repeated := [it["n"] for it in self.kept if "data" in it]:
                told.append({"repeated": repeated})
        return [("told", it) for it in told] + self.send_waiting()

    def move(self, at):
        if at is not None and self.epoch:
            self.position = f"{self.epoch}-{at}"

    def acknowledge(self, number):
        handled = [it["n"] for it in self.kept if it["n"] <= number and "data" in it]
        self.kept = [it for it in self.kept if it["n"] > number]
        return [{"acknowledged": handled}] if handled else []

    def give_up(self):
        """Tells which of the messages that are kept this server doesn't take. Of these, the
        numbers alone are sent, as those behind them can't come without.
        """
        refused = []
        for message in self.kept:
            if "data" in message and len(write(message).encode()) > self.hello.get("max", 0):
                refused.append({"refused": message.pop("data")})
        if "max" not in self.hello:
            self.kept = []
        return refused

    def send_waiting(self):
        """Sends what waits, as far as the server's rate admits, or tells that it can't be
        sent. First comes what other connections have sent.
        """
        followed = []
        while self.hello and self.may_send():
            message = next((it for it in self.kept if it["n"] > self.sent), None)
            if not message:
                if not self.waiting:
                    break
                data = self.waiting.pop(0)
                message = {"n": self.last + 1, "data": data}
                # There must be room to send it once more, too.
                longest = write({**message, "again": True})
                if len(longest.encode()) > self.hello.get("max", 0):
                    followed.append(("told", {"refused": data}))
                    continue
                self.last += 1
                self.kept.append(message)
            self.sent = message["n"]
            self.counted += 1 if self.rate else 0
            followed.append(("send", write(message)))
        return followed


def write(frame):
    return json.dumps(frame, separators=(",", ":"), ensure_ascii=False)


class Connection:
    """A WebSocket to a server on this machine (RFC 6455), without TLS."""

    def __init__(self, host, port, path, offered, timeout=10):
        self.stream = socket.create_connection((host, port), timeout)
        self.bytes = self.stream.makefile("rb")
        key = base64.b64encode(os.urandom(16)).decode()
        head = [
            f"GET {path} HTTP/1.1", f"Host: {host}:{port}", "Connection: Upgrade",
            "Upgrade: websocket", "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}",
            f"Sec-WebSocket-Protocol: {', '.join(offered)}",
        ]
        self.stream.sendall("\r\n".join(head + ["", ""]).encode())
        self.status = self.bytes.readline().decode().strip()
        headers = {}
        while line := self.bytes.readline().decode().strip():
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        self.chosen = headers.get("sec-websocket-protocol")
        if " 101 " in self.status + " ":
            proof = hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode())
            expected = base64.b64encode(proof.digest()).decode()
            assert headers.get("sec-websocket-accept") == expected, headers

    def send(self, text, opcode=1):
        payload = text.encode() if isinstance(text, str) else text
        size = len(payload)
        if size < 126:
            head = struct.pack("!BB", 0x80 | opcode, 0x80 | size)
        elif size < 1 << 16:
            head = struct.pack("!BBH", 0x80 | opcode, 0xFE, size)
        else:
            head = struct.pack("!BBQ", 0x80 | opcode, 0xFF, size)
        mask = os.urandom(4)
        masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))
        self.stream.sendall(head + mask + masked)

    def receive(self):
        """Waits for a text frame, and returns `("text", …)` or `("closed", code, reason)`.

        Raises `TimeoutError` if nothing comes in time.
        """
        parts = b""
        while True:
            head = self.bytes.read(2)
            if len(head) < 2:
                return ("closed", 1006, "")
            size = head[1] & 0x7F
            if size >= 126:
                long = "!H" if size == 126 else "!Q"
                (size,) = struct.unpack(long, self.bytes.read(struct.calcsize(long)))
            payload = self.bytes.read(size)
            opcode = head[0] & 0x0F
            if opcode == 8:
                self.send(payload, 8)
                code = struct.unpack("!H", payload[:2])[0] if payload else 1005
                return ("closed", code, payload[2:].decode())
            if opcode == 9:
                self.send(payload, 10)
            elif opcode in (0, 1):
                parts += payload
                if head[0] & 0x80:
                    return ("text", parts.decode())

    def cut(self):
        self.bytes.close()
        self.stream.close()
