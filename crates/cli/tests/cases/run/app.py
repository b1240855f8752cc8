import http.server, json, os, sys, time, urllib.request
class H(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *a): pass
    def do_GET(self):
        status, body = 200, {"ok": True, "name": os.environ.get("NAME", "")}
        part = self.path.split("/")
        if part[1] == "slow": time.sleep(float(part[2]))
        elif part[1] == "status":
            status, body = int(part[2]), {"asked": "for"}
        elif part[1] == "next":
            with urllib.request.urlopen(os.environ["NEXT_URL"] + "/hello") as r: body = json.load(r)
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
host, port = os.environ["LISTEN"].split(":")
http.server.ThreadingHTTPServer((host, int(port)), H).serve_forever()
