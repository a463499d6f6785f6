"""/healthz, /readyz and /metrics: a door of their own, numbers only, a token outside the loopback."""

import json
import re
import urllib.error
import urllib.request

import pytest

from support.process import ROOT, free_port, wait_until


@pytest.fixture(scope="module")
def watched(new_world):
    world = new_world().install()
    world.port = free_port()
    world.steward.change_config(metrics={"bind": f"127.0.0.1:{world.port}"})
    return world.start()


def get(world, path, token=None, host="127.0.0.1"):
    request = urllib.request.Request(f"http://{host}:{world.port}{path}", headers={"Authorization": f"Bearer {token}"} if token else {})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()


def test_health_and_readiness(watched):
    assert get(watched, "/healthz") == (200, "ok\n")
    assert get(watched, "/readyz") == (200, "ready\n")
    assert get(watched, "/other")[0] == 404


def test_numbers_only(watched):
    watched.alice.ask("!report", "Daily report")
    status, text = get(watched, "/metrics")
    assert status == 200
    for line in text.splitlines():
        assert re.fullmatch(r"# TYPE \w+ (gauge|counter)|\w+(\{\w+=\"\w+\"\})? -?[\d.e+]+", line), line
    assert 'steward_schedules{state="active"} 2' in text and "steward_report_database_bytes" in text
    assert re.search(r"^steward_events_total [1-9]", text, re.M)
    assert "hs.test" not in text and "@" not in text and "!" not in text


def test_the_dashboard_shows_what_there_is(watched):
    """Every name that a panel asks for is one that the bot gives."""
    watched.alice.ask("!analyze events", "done", timeout=60)  # jobs are counted once there is one
    given = set(re.findall(r"^(\w+)(?:\{| )", get(watched, "/metrics")[1], re.M))
    dashboard = json.loads((ROOT / "packaging/grafana-dashboard.json").read_text())
    asked = {name for panel in dashboard["panels"] for target in panel["targets"] for name in re.findall(r"\b(?:steward|process)_\w+", target["expr"])}
    assert len(dashboard["panels"]) >= 10 and asked <= given, asked - given


def test_not_ready_without_the_store(watched):
    """The database away: alive, not ready, and ready again by itself."""
    watched.postgres.stop()
    try:
        wait_until(lambda: get(watched, "/readyz")[0] == 503, 30, "not to be ready")
        assert get(watched, "/healthz")[0] == 200
        assert "steward_ready 0" in get(watched, "/metrics")[1]
    finally:
        watched.postgres.start()
    wait_until(lambda: get(watched, "/readyz")[0] == 200, 60, "to be ready again")


def test_another_address_needs_a_token(watched):
    config = watched.steward.config_path
    before = config.read_text()
    watched.steward.stop()
    watched.steward.change_config(metrics={"bind": f"0.0.0.0:{watched.port}"})
    refused = watched.steward.command("run", "--config", config, timeout=30)
    assert refused.returncode == 2 and "metrics.token" in refused.stderr
    token = watched.steward.folder / "metrics.token"
    token.write_text("a-long-enough-token-for-metrics\n")
    token.chmod(0o600)
    watched.steward.change_config(metrics={"bind": f"0.0.0.0:{watched.port}", "token_file": str(token)})
    watched.steward.start()
    assert get(watched, "/metrics")[0] == 401 and get(watched, "/metrics", "wrong")[0] == 401
    assert get(watched, "/metrics", "a-long-enough-token-for-metrics")[0] == 200
    assert "a-long-enough-token" not in watched.steward.log()
    config.write_text(before)
