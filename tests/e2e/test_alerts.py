"""Limits that are watched: one message each, edited as it goes on, 👀, silence, bursts; new abuse reports; the other way to people."""

import json
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from support.process import wait_until

LOOK = 1  # seconds; what is dear is measured at every fifth look
USUAL = [
    "disk-free", "disk-full-in", "database-growth", "connections", "oldest-transaction", "wraparound", "failing-servers",
    "registrations", "stuck-work", "appservice-queue", "backup-age", "abuse-reports",
]  # fmt: skip


@pytest.fixture(scope="module")
def watched(new_world):
    """A bot that looks every second and has a program as its other way."""
    world = new_world().install()
    world.add_host()
    inbox = world.folder / "told"
    teller = world.folder / "tell"
    teller.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >> {inbox}\ncat >> {inbox}\n')
    teller.chmod(0o755)
    world.steward.change_config(alerts={"interval": f"{LOOK}s", "fallback": [str(teller), "--to", "on call; $(id)", "{}"]})
    world.told = lambda: inbox.read_text() if inbox.exists() else ""
    return world.start()


def alert(world, metric):
    """Its first row: (number, firing, message, acknowledged_by)."""
    query = "SELECT number, firing, message, acknowledged_by FROM steward.alert WHERE metric = %s ORDER BY number LIMIT 1"
    return world.synapse.sql(query, (metric,))[0]


def people(world, count):
    """So many registered a moment ago; those of before have been here for long."""
    world.synapse.sql("DELETE FROM users WHERE name LIKE '@new-%'")
    world.synapse.sql(
        "INSERT INTO users (name, creation_ts, admin, is_guest, deactivated) "
        f"SELECT '@new-' || n || ':hs.test', extract(epoch FROM now())::bigint, 0, 0, 0 FROM generate_series(1, {count}) AS n"
    )


def calm(world):
    people(world, 0)
    wait_until(lambda: world.synapse.sql("SELECT count(*) FROM steward.alert WHERE firing") == [(0,)], 60, "no alert to be firing")


def test_the_usual_limits_are_set(watched):
    world = watched
    watched.synapse.sql("UPDATE users SET creation_ts = creation_ts - 30 * 86400")
    answer = world.alice.ask("!alerts", "12 limits")
    for metric in USUAL:
        assert metric in answer.body, answer.body
    assert re.search(r"disk-free less than 5\.0 GB, now \d", wait_measured(world, "disk-free").body)
    assert {row["metric"] for row in world.steward.exec_json("alerts")} == set(USUAL)


def wait_measured(world, metric):
    measured = "SELECT value IS NOT NULL FROM steward.alert WHERE metric = %s"
    wait_until(lambda: world.synapse.sql(measured, (metric,)) == [(True,)], 30, f"{metric} to be measured")
    return world.alice.ask("!alerts")


def test_bad_words_are_pointed_at(watched):
    alice = watched.alice
    assert "disk-free" in alice.ask("!alert add disk-fre 3G").body
    assert "is no limit for disk-free" in alice.ask("!alert add disk-free banana")
    assert "expected a percentage" in alice.ask("!alert add connections 300")
    assert "expected a duration" in alice.ask("!alert add backup-age 36")
    assert "There is no alert 999" in alice.ask("!ack 999")
    assert watched.synapse.sql("SELECT count(*) FROM steward.alert") == [(len(USUAL),)]


def test_it_rings_once_is_seen_and_ends(watched):
    world = watched
    before = world.alice.conversation[-1]
    people(world, 25)
    told = world.alice.wait_message("registrations: 25, more than 20", after=before, timeout=40)
    assert told.rings and told.mentions and "⚠ Alert" in told
    world.alice.wait_reaction(told, "👀")
    number, firing, message, _ = alert(world, "registrations")
    assert firing and message
    # About the limit nothing happens: it ends a tenth inside.
    people(world, 19)
    time.sleep(4 * 5 * LOOK)
    assert alert(world, "registrations")[1], "19 is less than the limit and not a tenth inside"
    world.alice.react(told, "👀")
    world.alice.wait_for(lambda: "👀 @alice:hs.test" in told.body, 20, "the message to say who saw it")
    people(world, 3)
    world.alice.wait_for(lambda: f"✅ Alert {number} · registrations: 3, well again" in told.body, 60, "the same message to say that it is over")
    assert sum("registrations:" in said.body for said in world.alice.bot_messages(before)) == 1, "one message from beginning to end"
    assert not told.mentions == [] and len(told.versions) >= 3
    calm(world)


def test_silence(watched):
    world = watched
    number = alert(world, "registrations")[0]
    world.alice.ask(f"!silence {number} 1h", "is quiet for 1 h")
    before = world.alice.conversation[-1]
    people(world, 30)
    wait_until(lambda: alert(world, "registrations")[1], 40, "the alert to fire silently")
    assert world.alice.stays_silent(before, 4) == []
    assert "🔕 until" in world.alice.ask("!alerts")
    world.alice.ask(f"!silence {number} 1s", "is quiet for 1")
    assert world.alice.wait_message("registrations: 30", after=before, timeout=30).rings
    calm(world)


def test_many_at_once_are_one_message(watched):
    world = watched
    before = world.alice.conversation[-1]
    for limit in (3, 4, 5, 6):
        world.synapse.sql("INSERT INTO steward.alert (metric, value_limit, added_by) VALUES ('registrations', %s, '')", (limit,))
    people(world, 15)
    told = world.alice.wait_message("⚠ 4 alerts, 4 not over", after=before, timeout=40)
    assert told.rings and told.body.count("registrations: 15") == 4
    numbers = re.findall(r"Alert (\d+)", told.body)
    people(world, 0)
    world.alice.wait_for(lambda: "✅ 4 alerts, all over" in told.body, 60, "all to be over")
    assert len([said for said in world.alice.bot_messages(before) if "registrations" in said]) == 1
    answer = world.alice.ask(f"!alert remove {' '.join(numbers)}", "is removed")
    assert answer.body.count("Undo: !alert add registrations") == 4
    assert world.synapse.sql("SELECT count(*) FROM steward.alert") == [(len(USUAL),)]


def test_quiet_hours_keep_the_phone_still(watched):
    world = watched
    world.alice.ask("!settings quiet-hours 00:00-23:59", "23:59")
    try:
        before = world.alice.conversation[-1]
        people(world, 40)
        assert not world.alice.wait_message("registrations: 40", after=before, timeout=40).rings
    finally:
        world.alice.ask("!settings quiet-hours off", "off")
    calm(world)


def test_a_full_disk_goes_the_other_way_at_once(watched):
    world = watched
    before = world.alice.conversation[-1]
    number = re.search(r"Alert (\d+)", world.alice.ask("!alert add disk-free 1023P", "Undo").body)[1]
    told = world.alice.wait_message("disk-free", "less than", after=before, timeout=40, where=lambda m: "⚠" in m.body)
    assert told.rings
    wait_until(lambda: "disk-free" in world.told(), 20, "the program to be told")
    said = world.told()
    assert said.startswith("--to\non call; $(id)\nhs.test: ⚠ Alert"), said
    assert said.count("disk-free:") == 2, "as an argument and on the standard input"
    world.alice.ask(f"!alert remove {number}", "is removed")


def report(world, room, event, by, reason):
    world.synapse.client("POST", f"/rooms/{room}/report/{event}", {"reason": reason, "score": -100}, token=world.user(by))


def test_an_abuse_report_comes_with_what_can_be_done(watched):
    world = watched
    room = world.fill.room(world.user("carol"), world.user("dave"), name="Trouble", messages=1)
    event = world.synapse.client("PUT", f"/rooms/{room}/send/m.room.message/t1", {"msgtype": "m.text", "body": "buy gold"}, token=world.user("carol"))["event_id"]
    files = world.fill.media(world.user("carol"), 2, 1000, age_days=1)
    before = world.alice.conversation[-1]
    report(world, room, event, "dave", "spam <b>!</b> @alice:hs.test")
    told = world.alice.wait_message("New abuse report", "@carol:hs.test", room, after=before)
    assert told.rings and "spam" in told and "@dave:hs.test" in told and "buy gold" not in told.body
    assert "<b>!</b>" not in told.html
    for key in ("🔎", "🧹"):
        world.alice.wait_reaction(told, key)
    world.alice.react(told, "🔎")
    assert world.alice.wait_message("Trouble", after=told)
    world.alice.react(told, "🧹")
    card = world.alice.wait_message("purge-user-media", after=told, where=lambda m: m.plan_number)
    assert world.items(card.plan_number), "the plan of what carol uploaded"
    world.alice.send(f"no {card.plan_number}")
    assert all(world.synapse.local_media_file(file).exists() for file in files), "a tap plans, it deletes nothing"


def test_many_abuse_reports_are_one_message(watched):
    world = watched
    before = world.alice.conversation[-1]
    world.synapse.sql(
        "INSERT INTO event_reports (id, received_ts, room_id, event_id, user_id, reason) "
        "SELECT 1000 + n, (extract(epoch FROM now()) * 1000)::bigint + n, '!r:hs.test', '$e' || n, '@dave:hs.test', 'flood' FROM generate_series(1, 20) AS n"
    )
    told = world.alice.wait_message("20 new abuse reports", after=before)
    assert "and 8 more" in told and len(told.body.splitlines()) <= 18
    world.steward.restart()
    assert [said for said in world.alice.stays_silent(told, 3) if "abuse" in said] == [], "told once, also after a restart"


def test_an_operator_may_and_a_stranger_may_not(watched):
    world = watched
    number = alert(world, "registrations")[0]
    card = world.alice.plan("!allow @dave:hs.test reader")
    world.alice.confirm(card)
    world.wait_job(card.plan_number, "done")
    dave = world.client("dave")
    dave.enter(world.room)
    assert "limits" in dave.ask("!alerts")
    refused = dave.ask(f"!silence {number} 1h")
    assert "operator" in refused and "🔕" not in world.alice.ask("!alerts")


class Hook(BaseHTTPRequestHandler):
    status, got = 200, []

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        Hook.got.append((self.path, self.headers["Content-Type"], json.loads(body)))
        self.send_response(Hook.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def test_both_ways_can_be_tried(watched):
    world = watched
    answer = world.alice.ask("!alerts test", "A test")
    assert answer.rings and "Sent by the other way, too: tell." in answer
    assert "A test of synapse-steward on hs.test" in world.told()


def test_a_lost_database_is_told_the_other_way(watched):
    world = watched
    world.postgres.stop()
    try:
        wait_until(lambda: "the bot cannot reach its database" in world.told(), 60, "the program to be told of the database")
    finally:
        world.postgres.start()
    wait_until(lambda: "the bot reaches its database again" in world.told(), 60, "the end to be told, too")
    assert world.told().count("the bot cannot reach its database") == 2, "once: as an argument and on the standard input"


def answers(world):
    """Whether the bot answers; Synapse's first requests after its database was away fail."""
    try:
        return world.alice.ask("!whoami", timeout=20)
    except (RuntimeError, TimeoutError):
        return False


def test_a_room_out_of_reach_is_told_after_three_minutes(watched):
    """Also when the bot has nothing to say: it looks whether Synapse answers."""
    world = watched
    wait_until(lambda: answers(world), 60, "both to work again after what the test before did", 1)
    world.synapse.stop()
    try:
        stopped = time.monotonic()
        wait_until(lambda: "Synapse does not answer" in world.told(), 260, "the program to be told of Synapse", 1)
        assert time.monotonic() - stopped > 170, "a restart is no trouble"
    finally:
        world.synapse.start()
    wait_until(lambda: "the admin room hears the bot again" in world.told(), 60, "the end to be told, too")


def test_a_webhook_and_its_refusal(watched):
    world = watched
    server = HTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/hook/T0PSECRETPART?x=1"
    try:
        world.steward.stop()
        world.steward.change_config(alerts={"fallback": [url]})
        world.steward.start()
        assert "the webhook" in world.alice.ask("!alerts test", "A test")
        path, kind, body = Hook.got[-1]
        assert path == "/hook/T0PSECRETPART?x=1" and kind == "application/json"
        assert body["server"] == "hs.test" and "A test of synapse-steward" in body["text"]
        Hook.status = 500
        answer = world.alice.ask("!alerts test", "A test")
        assert "The webhook answered 500" in answer and "T0PSECRETPART" not in answer.body
    finally:
        server.shutdown()
    assert "T0PSECRETPART" not in world.steward.log()
