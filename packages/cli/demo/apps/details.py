"""Facts about a book, in Python: one service of the demo that shares no code with the others."""

import json
import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BOOK = {
    "id": 0,
    "author": "William Shakespeare",
    "year": 1595,
    "type": "paperback",
    "pages": 200,
    "language": "English",
}


class Details(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        print("GET", self.path, flush=True)
        if self.path.startswith("/details/"):
            self.answer(200, BOOK)
        elif self.path == "/health":
            self.answer(200, {"status": "details is healthy"})
        else:
            self.answer(404, {"error": f"details has no {self.path}"})

    def answer(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    address = (os.environ.get("HOST", "0.0.0.0"), int(os.environ.get("PORT", "9080")))
    server = ThreadingHTTPServer(address, Details)
    server.daemon_threads = True
    print("details listens on", address, flush=True)
    server.serve_forever()
