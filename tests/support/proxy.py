"""An HTTP proxy that breaks things on purpose, between the bot and Synapse (either way). Every request is remembered."""

import re
import socket
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import requests

from .process import free_port


@dataclass
class Seen:
    """A request that came through; `status` is what the caller got, None when it got nothing."""

    method: str
    path: str
    body: bytes
    at: float
    status: int | None = None


@dataclass
class Rule:
    """What to do with requests whose `METHOD /path` matches; the first matching rule with `times` left acts."""

    pattern: str
    status: int | None = None  # answer this instead of asking the target
    json: dict | None = None
    before: object = None  # called before the request is passed on
    after: object = None  # called when the target has answered, before the caller hears of it
    lose_reply: bool = False  # the target acts, the caller's connection is cut
    refuse: bool = False  # the connection is cut, the target hears nothing
    delay: float = 0.0
    gate: threading.Event | None = None  # held until set
    times: int | None = None
    hits: int = 0
    headers: dict = field(default_factory=dict)


class Proxy:
    """start() listens on a port of its own and passes everything on to `target`."""

    def __init__(self, target, port=None):
        self.target = target
        self.port = port or free_port()
        self.rules = []
        self.seen = []
        self._lock = threading.Lock()
        self._local = threading.local()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self):
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one(self):
                proxy._handle(self)

            do_GET = do_PUT = do_POST = do_DELETE = do_OPTIONS = handle_one

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def stop(self):
        for rule in self.rules:
            if rule.gate:
                rule.gate.set()
        self._server.shutdown()
        self._server.server_close()

    def rule(self, pattern, **how):
        """Adds a rule: proxy.rule(r"PUT .*/send/", status=429, json={…}, times=2)."""
        rule = Rule(pattern, **how)
        with self._lock:
            self.rules.append(rule)
        return rule

    def clear(self):
        with self._lock:
            for rule in self.rules:
                if rule.gate:
                    rule.gate.set()
            self.rules.clear()

    def requests(self, pattern):
        """The requests so far whose `METHOD /path` matches."""
        return [seen for seen in list(self.seen) if re.search(pattern, f"{seen.method} {seen.path}")]

    def _rule_for(self, line):
        with self._lock:
            for rule in self.rules:
                if (rule.times is None or rule.hits < rule.times) and re.search(rule.pattern, line):
                    rule.hits += 1
                    return rule
        return Rule("")

    def _handle(self, handler):
        length = int(handler.headers.get("Content-Length") or 0)
        body = handler.rfile.read(length) if length else b""
        seen = Seen(handler.command, handler.path, body, time.monotonic())
        self.seen.append(seen)
        rule = self._rule_for(f"{handler.command} {urlsplit(handler.path).path}")
        if rule.delay:
            time.sleep(rule.delay)
        if rule.gate:
            rule.gate.wait(300)
        if rule.before:
            rule.before()
        if rule.refuse:
            return self._cut(handler)
        if rule.status is not None:
            answer = requests.models.Response()
            answer.status_code = rule.status
            import json

            answer._content = json.dumps(rule.json if rule.json is not None else {}).encode()
            answer.headers["Content-Type"] = "application/json"
        else:
            try:
                answer = self._pass_on(handler, body)
            except requests.RequestException:
                return self._cut(handler)
        if rule.after:
            rule.after()
        if rule.lose_reply:
            return self._cut(handler)
        seen.status = answer.status_code
        try:
            handler.send_response_only(answer.status_code)
            handler.send_header("Date", rule.headers.get("Date") or handler.date_time_string())
            for name, value in {**answer.headers, **rule.headers}.items():
                if name.lower() in ("content-type", "retry-after"):
                    handler.send_header(name, value)
            handler.send_header("Content-Length", str(len(answer.content)))
            handler.end_headers()
            handler.wfile.write(answer.content)
        except OSError:
            handler.close_connection = True

    def _pass_on(self, handler, body):
        session = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = requests.Session()
            session.trust_env = False
        headers = {
            name: value
            for name, value in handler.headers.items()
            if name.lower() not in ("host", "connection", "content-length", "accept-encoding")
        }
        return session.request(
            handler.command, self.target + handler.path, data=body, headers=headers, timeout=300, allow_redirects=False
        )

    @staticmethod
    def _cut(handler):
        handler.close_connection = True
        try:
            handler.connection.shutdown(2)
        except OSError:
            pass


class TcpProxy:
    """Passes bytes to a local port, for what is not HTTP (PostgreSQL): cut() drops all and refuses, open() lets through again."""

    def __init__(self, target_port, port=None):
        self.target_port = target_port
        self.port = port or free_port()
        self.opened = 0
        self._open = True
        self._pairs = set()
        self._lock = threading.Lock()

    def start(self):
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if not self._open:
                client.close()
                continue
            try:
                server = socket.create_connection(("127.0.0.1", self.target_port), 5)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            self.opened += 1
            with self._lock:
                self._pairs.add((client, server))
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=self._copy, args=(source, sink, (client, server)), daemon=True).start()

    def _copy(self, source, sink, pair):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass
        self._drop(pair)

    def _drop(self, pair):
        with self._lock:
            self._pairs.discard(pair)
        for end in pair:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            end.close()

    def cut(self):
        """Every connection ends now; new ones are closed at once."""
        self._open = False
        for pair in list(self._pairs):
            self._drop(pair)

    def blink(self):
        """Every connection ends now; new ones work."""
        for pair in list(self._pairs):
            self._drop(pair)

    def open(self):
        self._open = True

    def stop(self):
        self.cut()
        self._listener.close()
