#!/usr/bin/env python3
"""A sync endpoint in ten lines: crdt_pull and crdt_push behind Python's own HTTP server.

    python3 examples/hub.py hub.db target/release/libgrove_crdt.so --port 8080

Then, from any other database:  SELECT crdt_sync('http://127.0.0.1:8080/sync');
For real use: grove-sync serve, which has TLS, tokens, streams, limits and commits in groups.
"""
import argparse
import sqlite3
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def main():
    arguments = argparse.ArgumentParser(description="a sync endpoint for one database")
    arguments.add_argument("database")
    arguments.add_argument("extension", help="path of libgrove_crdt")
    arguments.add_argument("--port", type=int, default=8080, help="0 takes a free one")
    arguments = arguments.parse_args()

    def answer(sql, request):
        db = sqlite3.connect(arguments.database, timeout=10)
        try:
            db.enable_load_extension(True)
            db.load_extension(arguments.extension)
            return db.execute(sql, (request,)).fetchone()[0]
        finally:
            db.close()

    class Hub(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        routes = {"/sync/pull": "SELECT crdt_pull(?)", "/sync/push": "SELECT crdt_push(?)"}

        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            sql = self.routes.get(self.path)
            try:
                status, text = (200, answer(sql, body)) if sql else (404, '{"error":"no such route"}')
            except sqlite3.Error as error:
                status, text = 400, '{"error":"%s"}' % str(error).replace("\\", "\\\\").replace('"', '\\"')
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            data = (text + "\n").encode()
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", arguments.port), Hub)
    print(f"http://127.0.0.1:{server.server_port}/sync", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
