"""A hub that answers polls when there is something to say, and a chat that polls it from its start on."""

import json
import sys
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

role, port = sys.argv[1], int(sys.argv[2])
said, changed = [], threading.Condition()


class Hub(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body):
        body = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def asked(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        with changed:
            if url.path in ("/poll/7", "/poll/8", "/news"):
                since = int(query.get("since", 1000))
                changed.wait_for(lambda: len(said) > since, 120)
                return self.answer(200, {"said": said[since:], "next": max(since, len(said))})
            if url.path == "/work":
                changed.wait_for(lambda: False, int(query["ms"]) / 1000)
                return self.answer(200, {"done": True})
            if url.path == "/say":
                said.append(query["text"])
                changed.notify_all()
                return self.answer(201, {})
        self.answer(200, {"ok": True})

    def log_message(self, *_):
        pass

    do_GET = do_POST = asked


class Chat(Hub):
    def asked(self):
        url = urlsplit(self.path)
        if url.path == "/heard":
            return self.answer(200, {"heard": said})
        if self.command == "POST":
            path = url.path + ("?" + url.query if url.query else "")
            threading.Thread(target=ask, args=(path,), daemon=True).start()
            return self.answer(202, {})
        self.answer(200, {"ok": True})

    do_GET = do_POST = asked


def ask(path):
    method = "POST" if path.startswith("/say") else "GET"
    with urllib.request.urlopen(urllib.request.Request(sys.argv[3] + path, method=method)) as answer:
        return json.load(answer)


def poll():
    since = 0
    while True:
        answer = ask(f"/poll/7?since={since}")
        said.extend(answer["said"])
        since = answer["next"]


if role == "chat":
    threading.Thread(target=poll, daemon=True).start()
ThreadingHTTPServer(("127.0.0.1", port), Hub if role == "hub" else Chat).serve_forever()
