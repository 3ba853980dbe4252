#!/usr/bin/env python3
"""A relay between nodes: TCP that can be made as bad as a network gets.

Each *lane* is a listening port that stands for "node a dials node b". What goes through it has two
directions, a to b and b to a, and each direction of each pair has a mode of its own:

    pass     bytes go through, after `delay_ms` milliseconds, in their order
    hold     bytes wait here, and go through when the direction passes again: a network that drops
             packets, seen by TCP. Held one way only it is a one-way cut
    swallow  bytes vanish, the end of the stream too, and the sockets stay open: a half-open
             connection. What has lost bytes is reset when the direction passes again
    cut      connections of the pair are reset, new ones are reset at once: a link that is gone

It is a program of its own, so that what it costs does not disturb the clients that are measured.
Commands are JSON, one on each line of stdin, and each is answered by one line on stdout when it has
been done; at the end of stdin the relay ends, and with it everything that it held open.

    {"lanes": [["2", "1", 21000, 20011], ...]}              from, to, port here, port there
    {"set": [["2", "1", {"mode": "hold"}], ...]}            direction from, to
    {"ask": true}                                           counts only

Bounds: QUEUE_MAX pieces of READ_BYTES wait in each direction of each connection; then TCP's own
windows fill, as they would.
"""
import asyncio
import json
import socket
import struct
import sys

READ_BYTES = 1 << 16
QUEUE_MAX = 256
MODES = ("pass", "hold", "swallow", "cut")


class Direction:
    """How bytes fare from one node to another, whoever dialled."""

    def __init__(self):
        self.mode = "pass"
        self.delay = 0.0
        self.moved = asyncio.Event()  # set while bytes do not have to wait
        self.moved.set()
        self.bytes = self.swallowed = 0

    def set(self, mode, delay_ms):
        if mode not in MODES:
            raise ValueError(f"no mode {mode}")
        self.mode = mode
        self.delay = delay_ms / 1000
        if mode == "hold":
            self.moved.clear()
        else:
            self.moved.set()


class Connection:
    """One connection of a lane: dialler and acceptor, and a pump for each direction."""

    def __init__(self, relay, lane, near, far):
        self.relay = relay
        self.pair = lane[:2]
        self.writers = (near[1], far[1])
        self.spoilt = False  # bytes were swallowed: nothing may follow them
        there = relay.direction(lane[0], lane[1])
        back = relay.direction(lane[1], lane[0])
        self.tasks = []
        for way, reader, writer in ((there, near[0], far[1]), (back, far[0], near[1])):
            queue = asyncio.Queue(QUEUE_MAX)
            self.tasks.append(asyncio.ensure_future(self.take(way, reader, queue)))
            self.tasks.append(asyncio.ensure_future(self.give(way, queue, writer)))

    async def take(self, way, reader, queue):
        try:
            while data := await reader.read(READ_BYTES):
                await queue.put((asyncio.get_running_loop().time(), data))
        except OSError:
            pass
        await queue.put((asyncio.get_running_loop().time(), b""))

    async def give(self, way, queue, writer):
        loop = asyncio.get_running_loop()
        try:
            while True:
                came, data = await queue.get()
                # Looked at again after each wait: a delay may turn into a hold meanwhile.
                while way.mode == "hold" or loop.time() < came + way.delay:
                    await way.moved.wait()
                    if (left := came + way.delay - loop.time()) > 0:
                        await asyncio.sleep(left)
                if way.mode == "swallow":
                    self.spoilt = True
                    way.swallowed += len(data)
                    if not data:
                        return  # the end is swallowed too; the other side does not learn of it
                    continue
                if not data:
                    break
                way.bytes += len(data)
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        # One end is gone: so is the other, once what it had sent is delivered.
        self.close(reset=False)

    def close(self, reset):
        self.relay.connections.discard(self)
        for task in self.tasks:
            if task is not asyncio.current_task():
                task.cancel()
        for writer in self.writers:
            if reset:
                reset_at_close(writer)
                writer.transport.abort()
            else:
                writer.close()


def reset_at_close(writer):
    """The other side will read ECONNRESET, not an orderly end."""
    sock = writer.get_extra_info("socket")
    if sock is not None and sock.fileno() >= 0:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class Relay:
    def __init__(self):
        self.directions = {}
        self.connections = set()
        self.servers = []

    def direction(self, origin, target):
        return self.directions.setdefault((origin, target), Direction())

    async def open(self, lane):
        async def accept(reader, writer):
            await self.accept(lane, reader, writer)

        self.servers.append(await asyncio.start_server(accept, "127.0.0.1", lane[2]))

    async def accept(self, lane, reader, writer):
        tune(writer)
        try:
            # What is held or swallowed is found out by silence, as a lost SYN is.
            if self.is_cut(lane[0], lane[1]):
                raise ConnectionRefusedError
            far = await asyncio.open_connection("127.0.0.1", lane[3])
        except OSError:
            reset_at_close(writer)
            writer.transport.abort()
            return
        tune(far[1])
        connection = Connection(self, lane, (reader, writer), far)
        self.connections.add(connection)
        if self.is_cut(lane[0], lane[1]):  # it was cut while we dialled
            connection.close(reset=True)

    def is_cut(self, a, b):
        return "cut" in (self.direction(a, b).mode, self.direction(b, a).mode)

    def set(self, origin, target, mode="pass", delay_ms=0):
        self.direction(origin, target).set(mode, delay_ms)
        for connection in list(self.connections):
            if set(connection.pair) != {origin, target}:
                continue
            if mode == "cut" or (mode == "pass" and connection.spoilt):
                connection.close(reset=True)

    async def command(self, words):
        for lane in words.get("lanes", ()):
            await self.open(lane)
        for origin, target, how in words.get("set", ()):
            self.set(origin, target, **how)
        # Resets are under way only once the loop has turned.
        await asyncio.sleep(0)
        return {
            "connections": len(self.connections),
            "bytes": {f"{a}>{b}": way.bytes for (a, b), way in self.directions.items()},
            "swallowed": {f"{a}>{b}": way.swallowed for (a, b), way in self.directions.items()},
        }


def tune(writer):
    writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


async def main():
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=1 << 20)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    relay = Relay()
    while line := await reader.readline():
        try:
            answer = await relay.command(json.loads(line))
        except (OSError, ValueError, TypeError) as error:
            answer = {"error": str(error)}
        print(json.dumps(answer), flush=True)


asyncio.run(main())
