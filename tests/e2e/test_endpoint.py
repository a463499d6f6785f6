"""The appservice endpoint as Synapse, a confused proxy or an attacker calls it, over a real socket."""

import json
import secrets
import socket
import time

import pytest
import requests


@pytest.fixture(scope="module")
def endpoint(world):
    world.base = f"http://127.0.0.1:{world.steward.port}"
    world.token = world.steward.registration["hs_token"]
    return world


def call(endpoint, method, path, token="right", **how):
    headers = {"right": {"Authorization": f"Bearer {endpoint.token}"}, None: {}}.get(token, {"Authorization": f"Bearer {token}"})
    return requests.request(method, endpoint.base + path, headers={**headers, **how.pop("headers", {})}, timeout=30, **how)


def transaction():
    return f"/_matrix/app/v1/transactions/{secrets.token_hex(6)}"


ROUTES = [
    ("PUT", "/_matrix/app/v1/transactions/1", {"json": {"events": []}}, 200, None),
    ("PUT", "/_matrix/app/v1/transactions/1", {"json": {"events": [], "ephemeral": [], "org.matrix.msc3202.device_lists": {}}}, 200, None),
    ("PUT", "/_matrix/app/v1/transactions/2", {"data": b"not json"}, 400, "M_NOT_JSON"),
    ("POST", "/_matrix/app/v1/ping", {"json": {"transaction_id": "x"}}, 200, None),
    ("GET", "/_matrix/app/v1/users/%40x%3Ahs.test", {}, 404, "M_NOT_FOUND"),
    ("GET", "/_matrix/app/v1/rooms/%23x%3Ahs.test", {}, 404, "M_NOT_FOUND"),
    ("GET", "/_matrix/app/v1/thirdparty/protocol/irc", {}, 404, "M_NOT_FOUND"),
    ("GET", "/nothing", {}, 404, "M_UNRECOGNIZED"),
    ("GET", "/_matrix/app/v1/transactions/1", {}, 405, "M_UNRECOGNIZED"),
    ("POST", "/_matrix/app/v1/users/x", {}, 405, "M_UNRECOGNIZED"),
]


@pytest.mark.parametrize(("method", "path", "how", "status", "code"), ROUTES)
def test_routes(endpoint, method, path, how, status, code):
    started = time.monotonic()
    answer = call(endpoint, method, path, **how)
    assert answer.status_code == status
    assert answer.json() == {} if code is None else answer.json()["errcode"] == code
    assert answer.headers["Content-Type"].startswith("application/json")
    assert time.monotonic() - started < 1


def test_what_is_no_json_is_logged_loudly(endpoint):
    """Synapse never sends it, and it would block all that comes after."""
    assert call(endpoint, "PUT", transaction(), data=b"{" * 12_345).status_code == 400
    assert [line for line in endpoint.steward.log().splitlines() if "12345 bytes is not JSON; it blocks all later ones" in line and "error" in line.lower()]


@pytest.mark.parametrize(("token", "status", "code"), [(None, 401, "M_MISSING_TOKEN"), ("wrong", 403, "M_FORBIDDEN"), ("", 401, None)])
def test_token(endpoint, token, status, code):
    answer = call(endpoint, "PUT", transaction(), token, json={"events": []})
    assert answer.status_code == status or (token == "" and answer.status_code == 403)
    if code:
        assert answer.json()["errcode"] == code


def test_a_token_in_the_query_alone_is_refused(endpoint):
    answer = call(endpoint, "PUT", transaction() + f"?access_token={endpoint.token}", None, json={"events": []})
    assert answer.status_code in (401, 403)
    assert endpoint.token not in endpoint.steward.log()


def test_two_tokens_that_differ_are_refused(endpoint):
    answer = call(endpoint, "PUT", transaction() + "?access_token=other", json={"events": []})
    assert answer.status_code in (200, 401, 403)  # the header decides; the query is never read as a token
    raw = exchange(endpoint, f"PUT {transaction()} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {endpoint.token}\r\n"
                             "Authorization: Bearer other\r\nContent-Length: 13\r\n\r\n" + '{"events":[]}')  # fmt: skip
    assert raw.split()[1] in (b"400", b"401", b"403")


def exchange(endpoint, text, wait=5):
    with socket.create_connection(("127.0.0.1", endpoint.steward.port), 5) as connection:
        connection.settimeout(wait)
        connection.sendall(text.encode() if isinstance(text, str) else text)
        try:
            return connection.recv(4096)
        except (TimeoutError, ConnectionError):
            return b""


def test_a_large_body_without_token_is_refused_unread(endpoint):
    """Refused on the header: the answer comes before the body was sent."""
    started = time.monotonic()
    answer = exchange(endpoint, f"PUT {transaction()} HTTP/1.1\r\nHost: x\r\nContent-Length: {32 << 20}\r\n\r\n")
    assert answer.split()[1] == b"401" and time.monotonic() - started < 1


def test_a_large_body_with_token_is_read(endpoint):
    """100 events of 60 KB, as Synapse may send them."""
    events = [
        {"event_id": f"$large{number}", "type": "m.room.message", "room_id": "!other", "sender": "@x:hs.test",
         "content": {"msgtype": "m.text", "body": "x" * 60_000}, "origin_server_ts": 1}
        for number in range(100)
    ]  # fmt: skip
    assert endpoint.steward.push(events)[0] == 200
    assert call(endpoint, "PUT", transaction(), data=json.dumps({"events": [], "x": "y" * (31 << 20)})).status_code == 200


def test_a_body_over_the_limit_is_refused(endpoint):
    answer = exchange(endpoint, f"PUT {transaction()} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {endpoint.token}\r\nContent-Length: {64 << 20}\r\n\r\n")
    assert answer.split()[1] == b"413"
    assert endpoint.steward.answers()


def test_a_large_header_is_refused(endpoint):
    answer = exchange(endpoint, "PUT /x HTTP/1.1\r\nHost: x\r\nX: " + "y" * 20_000 + "\r\n\r\n")
    assert answer.split()[1] in (b"431", b"400")


def test_malformed_events_do_not_poison_the_queue(endpoint):
    """One broken event is logged, the others are taken, Synapse gets its 200."""
    broken = [
        None, 7, "text", [], {}, {"event_id": None}, {"event_id": "$a", "type": "m.room.message", "content": None},
        {"event_id": "$b", "type": 5, "content": {}, "room_id": endpoint.room, "sender": "@alice:hs.test"},
        {"event_id": "$c", "type": "m.room.message", "room_id": endpoint.room, "sender": "@alice:hs.test", "content": {"body": {"x": 1}, "msgtype": 3}},
        {"event_id": "$d", "type": "m.room.message", "room_id": endpoint.room, "sender": "@alice:hs.test", "content": {"m.relates_to": "x", "body": "!help", "msgtype": "m.text"}, "unsigned": []},
    ]  # fmt: skip
    assert endpoint.steward.push(broken)[0] == 200
    assert endpoint.alice.ask("!whoami")


def test_the_same_transaction_twice(endpoint):
    event = endpoint.alice.send("!whoami")
    endpoint.alice.wait_message(after=event)
    row = endpoint.synapse.sql("SELECT json FROM event_json WHERE event_id = %s", (event,))
    again = {**json.loads(row[0][0]), "event_id": event, "room_id": endpoint.room, "unsigned": {"age": 10}}
    for name in ("again", "again", "another"):
        assert endpoint.steward.push([again], transaction=name)[0] == 200
    # Only what answers this event: an answer to what an earlier test pushed may still be on its way.
    assert len([answer for answer in endpoint.alice.stays_silent(event, 3) if answer.reply_to == event]) == 1


def test_slow_clients_do_not_hold_it(endpoint):
    """Sixteen connections that send nothing: Synapse still gets through."""
    lazy = [socket.create_connection(("127.0.0.1", endpoint.steward.port), 5) for _ in range(15)]
    for connection in lazy:
        connection.sendall(b"PUT /_matrix/app/v1/transactions/1 HTTP/1.1\r\n")
    try:
        assert endpoint.alice.ask("!whoami", timeout=60)
    finally:
        for connection in lazy:
            connection.close()


def test_ping_through_synapse(endpoint):
    answer = endpoint.synapse.request(
        "POST", f"/_matrix/client/v1/appservice/{endpoint.steward.registration['id']}/ping", {"transaction_id": "t"},
        endpoint.steward.registration["as_token"],
    )  # fmt: skip
    assert answer["duration_ms"] < 1000


def test_the_store_down_gives_503_and_nothing_is_lost(new_world):
    """While PostgreSQL is away Synapse is told to come again; then the command is answered once."""
    from support.proxy import TcpProxy

    world = new_world()
    proxy = TcpProxy(world.postgres.port).start()
    world.install("--database", world.steward.database_url.replace(f":{world.postgres.port}/", f":{proxy.port}/"))
    world.start()
    proxy.cut()
    time.sleep(1)
    event = world.alice.send("!whoami")
    status, _ = world.steward.push([{"event_id": "$x", "type": "m.room.message", "room_id": world.room, "sender": "@alice:hs.test",
                                     "content": {"msgtype": "m.text", "body": "!whoami"}, "unsigned": {"age": 1}}])  # fmt: skip
    assert status == 503
    proxy.open()
    assert world.alice.wait_message("admin", after=event, timeout=90)
    assert len(world.alice.stays_silent(event, 3)) <= 2
    proxy.stop()
