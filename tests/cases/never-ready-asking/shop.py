"""A stock that is slow and has no prices, and components that ask for them before they are ready."""

import sys
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Stock(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/slow":
            threading.Event().wait(60)
        self.send_response(503 if self.path == "/prices" else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def ask(path):
    try:
        urllib.request.urlopen(sys.argv[2] + path).close()
    except urllib.error.HTTPError:
        pass


role = sys.argv[1]
if role == "stock":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Stock).serve_forever()
if role == "web":
    for path in ["/health", "/prices", "/prices", "/slow"]:
        ask(path)
try:
    ask("/jobs")
except urllib.error.URLError:
    sys.exit("no jobs today")
