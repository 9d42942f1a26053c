"""Holds the dialogues of client/ with the client in client.py.

With HOST:PORT as its argument, it also talks to a server there, whose `/chat` sends
each message to everyone, and has a history.
"""

import json
import pathlib
import sys

sys.dont_write_bytecode = True

from client import Connection, Machine

FOLLOWS = {"request", "client", "told", "back", "lost", "nothing"}


def filled(steps, value):
    """Puts a value wherever `EACH` stands."""
    if steps == "EACH":
        return value
    if isinstance(steps, list):
        return [filled(it, value) for it in steps]
    if isinstance(steps, dict):
        return {key: filled(it, value) for key, it in steps.items()}
    return steps


def happen(machine, step):
    """Tells the machine what happens, and returns what follows, as steps."""
    kind = next(iter(step))
    if kind == "connect":
        followed = machine.connect()
    elif kind == "response":
        followed = machine.opened(step["response"])
    elif kind == "server":
        frame = step["server"]
        followed = machine.receive(frame if isinstance(frame, str) else json.dumps(frame))
    elif kind == "send":
        followed = machine.send(step["send"])
    elif kind == "send_once":
        followed = machine.send_once(step["send_once"])
    elif kind == "closed":
        followed = machine.closed(step["closed"], step.get("reason", ""))
    elif kind == "silence":
        followed = machine.silent(step["silence"])
    elif kind == "after":
        followed = machine.passes(step["after"])
    else:
        raise ValueError(f"nobody knows this step: {step}")
    return [as_step(*it) for it in followed]


def as_step(kind, *values):
    if kind == "request":
        return {"request": {"path": values[0], "offer": values[1]}}
    if kind == "send":
        return {"client": json.loads(values[0])}
    return {"lost": True} if kind == "leave" else {kind: values[0]}


def by_kind(steps):
    """Order counts among steps of one kind alone."""
    return sorted((it for it in steps if "nothing" not in it), key=lambda it: next(iter(it)))


def same(ours, theirs):
    """Python takes 1 for True."""
    return json.dumps(ours, sort_keys=True) == json.dumps(theirs, sort_keys=True)


def hold(dialogue):
    begin = {"path": "/chat", **dialogue.get("client", {})}
    machine = Machine(**begin)
    followed, expected = [], []
    # Whether this client sends before its first hello; its first step tells.
    early = None

    def settle():
        nonlocal early
        if early is None and any("early" in it for it in expected):
            early = any("client" in it for it in followed)
        wanted = [dict(it) for it in expected if it.get("early", early) == early]
        for it in wanted:
            it.pop("early", None)
        if not same(by_kind(followed), by_kind(wanted)):
            raise AssertionError(f"expected {wanted}, but this follows: {followed}")

    for step in dialogue["steps"]:
        if next(iter(step)) in FOLLOWS:
            expected.append(step)
            continue
        if expected:
            settle()
            followed, expected = [], []
        followed += happen(machine, step)
    settle()


def hold_all(folder):
    count, failed = 0, 0
    for file in sorted(folder.glob("*.json")):
        for dialogue in json.loads(file.read_text("utf-8")):
            for value in dialogue.get("each", [None]):
                count += 1
                try:
                    hold(filled(dialogue, value) if "each" in dialogue else dialogue)
                except Exception as error:
                    failed += 1
                    print(f"{file.name}: {dialogue['name']} ({value!r}): {error!r}")
    print(f"{count} dialogues, {failed} failed")
    return count > 0 and failed == 0


def wait_longer():
    """Each while is longer than the one before, up to a bound, until a connection has lasted."""
    machine, whiles = Machine("/chat"), []
    for _ in range(100):
        machine.closed(1006)
        whiles.append(machine.delay(1))
    assert whiles == sorted(whiles) and whiles[0] < whiles[3] and whiles[-1] <= 60, whiles
    for came in ['{"hello":1,"beat":25}', '{"ack":1}', '{"at":1,"data":2}']:
        machine.opened("pode.v1")
        machine.receive(came)
    # Two clients with one ticket, who take the connection from each other.
    machine.closed(4409)
    assert machine.delay(1) == whiles[-1]
    for hello, sign in [('{"hello":1,"beat":25}', '{"at":2}'), ('{"hello":1}', '{"ack":1}')]:
        machine.opened("pode.v1")
        machine.receive(hello)
        machine.receive(sign)
        machine.closed(1006)
        assert machine.delay(1) == whiles[0] and machine.delay(0.5) < whiles[0]


def talk(host, port):
    """Says something, is cut, misses something, and comes back to it."""
    machine = Machine("/chat")

    def connect():
        [(_, path, offered)] = machine.connect()
        connection = Connection(host, port, path, offered)
        assert connection.chosen == "pode.v1", connection.status
        machine.opened(connection.chosen)
        return connection

    def hear(connection):
        kind, *frame = connection.receive()
        assert kind == "text", (kind, frame)
        told = []
        for followed, value in machine.receive(*frame):
            if followed == "send":
                connection.send(value)
            else:
                told.append(value)
        return told

    def until(connection, wanted):
        told = []
        while wanted not in told:
            told += hear(connection)
        return told

    def say(connection, text):
        for _, frame in machine.send_once({"text": text}):
            connection.send(frame)

    first = connect()
    until(first, "live")
    say(first, "hi")
    until(first, {"message": {"data": {"text": "hi"}}})
    # Another one speaks while this one is away.
    first.cut()
    machine.closed(1006)
    position = machine.position
    other, machine = machine, Machine("/chat")
    second = connect()
    until(second, "live")
    say(second, "missed")
    until(second, {"message": {"data": {"text": "missed"}}})
    machine = other
    third = connect()
    assert machine.position == position
    told = until(third, "live")
    assert told[0]["hello"]["resumed"] is True, told
    assert told[1:] == [{"message": {"data": {"text": "missed"}}}, "live"], told
    # What has a number is handled once, whatever cuts there are.
    told = []
    for text in "abc":
        for _, frame in machine.send({"text": text}):
            third.send(frame)
        third.cut()
        machine.closed(1006)
        third = connect()
        told += until(third, "live")
    while machine.kept:
        told += hear(third)
    said = [it["message"]["data"]["text"] for it in told if "message" in it]
    assert said == ["a", "b", "c"], told
    # What is no object of the protocol is a mistake of the client.
    third.send("7")
    kind, code, reason = third.receive()
    assert (kind, code) == ("closed", 1007), (kind, code, reason)
    assert machine.closed(code, reason) == [("back", False)]
    print("the talk went well")


if __name__ == "__main__":
    well = hold_all(pathlib.Path(__file__).parent / "client")
    wait_longer()
    if len(sys.argv) > 1:
        host, port = sys.argv[1].rsplit(":", 1)
        talk(host, int(port))
    sys.exit(not well)
