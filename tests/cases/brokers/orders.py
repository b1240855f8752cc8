"""Says of every order that it is new, to whoever asks NATS for it; each answer has a number of its own."""

import json
import socket
import sys
import time

stream = socket.create_connection((sys.argv[1], int(sys.argv[2]))).makefile("rwb")


def say(*lines):
    stream.write(b"".join(line + b"\r\n" for line in lines))
    stream.flush()


stream.readline()
say(b'CONNECT {"verbose":false}', b"SUB orders.get 1", b"PING")
stream.readline()
print("subscribed", flush=True)
while line := stream.readline():
    words = line.split()
    if words[0] == b"PING":
        say(b"PONG")
    elif words[0] == b"MSG":
        asked = json.loads(stream.read(int(words[-1]) + 2))
        answer = json.dumps({"id": asked["id"], "state": "new", "token": f"t-{time.monotonic_ns()}"}).encode()
        say(b"PUB %s %d" % (words[3], len(answer)), answer)
