"""A line for every command that reads, and for every dry run: what tests run all of them with. A new command without a line here
fails the tests that walk over `steward commands --json`."""

import json

from .synapse import ON_OLDEST


def commands(steward):
    """[{name, level, flags, sources, …}] as the program itself lists them."""
    return json.loads(steward.command("commands", "--json", check=True).stdout)


def has_dry_run(command):
    return any(flag["name"] == "--dry-run" for flag in command["flags"])


# The world has a steward-host and the media folder (World.add_host). {room} is a living room, {pid} another program's server process; @dave is a reader of the bot.
DRY_RUNS = {
    "clean-rooms": ["clean-rooms", "clean-rooms --older 1d --include left,aliased,published,spaces,upgraded,reported,delayed,blocked"],
    "clean-redacted": ["clean-redacted", "clean-redacted --older 30d"],
    "purge-media": ["purge-media 30d", "purge-media 30d --both", "purge-media 1d --remote"],
    "purge-user-media": ["purge-user-media @carol"],
    "db-stop": ["db-stop {pid}", "db-stop {pid} --terminate"],
    "analyze": ["analyze", "analyze events"],
    "vacuum": ["vacuum", "vacuum events"],
    "vacuum-full": ["vacuum-full", "vacuum-full events"],
    "reindex": ["reindex events"],
    "repack": ["repack", "repack events"],
    "compress-state": ["compress-state", "compress-state {room}"],
    "clean-orphans": ["clean-orphans"],
    "clean-state-groups": ["clean-state-groups"],
    "restart": ["restart"],
    "maintenance": ["maintenance clean-rooms --method offline"],
    "upgrade": ["upgrade 1.999.0"],
    "add-schedule": ['add-schedule "daily 03:00" purge-media 30d', 'add-schedule "sun 04:30" vacuum', 'add-schedule "every 6h" check-db'],
    "add-policy": ["add-policy media 30d --both --at-most 2", "add-policy rooms 1d --max-members 0"],
    "run-policy": ["run-policy media 30d --both --at-most 2", "run-policy rooms 1d --min-events 2 --direct not"],
    "allow": ["allow @carol reader"],
    "deny": ["deny @dave"],
    "thaw": ["thaw"],
}
# Dry runs that have to ask Synapse, each with what for.
NEED_SYNAPSE = {
    "allow": "whether there is such a user",
    "clean-state-groups": "whether its background updates run",
    "upgrade": "which release runs",
}

# What the oldest supported Synapse is too old for: refused by name (tests/db and test_state_groups.py see to that).
TOO_NEW = ("compress-state", "clean-state-groups", "query state-deletions") if ON_OLDEST else ()

# What a running Synapse writes of itself: who asked it something, and that the bot was away.
SYNAPSES_OWN_NOTES = {
    "user_ips", "sequence user_ips_device_index", "devices", "user_daily_visits", "appservice_room_list", "application_services_state",
    "cache_invalidation_stream_by_instance", "sequence cache_invalidation_stream_seq",
    "room_forgetter_stream_pos",
}

# Commands that answer at once; those with a source other than the bot's own memory read Synapse's database or its API.
REPORTS = {
    "help": ["help", "help clean-rooms"],
    "whoami": ["whoami"],
    "settings": ["settings"],
    "status": ["status"],
    "version": ["version"],
    "ping": ["ping"],
    "appservices": ["appservices"],
    "audit": ["audit"],
    "list-rooms": ["list-rooms", "list-rooms --empty --sort size", "list-rooms --sort activity --older 1d"],
    "room": ["room {room}"],
    "members": ["members {room}"],
    "room-state": ["room-state {room}", "room-state {room} m.room.member"],
    "extremities": ["extremities", "extremities {room}"],
    "media-usage": ["media-usage", "media-usage --by server", "media-usage --by type", "media-usage --by month"],
    "list-media": ["list-media", "list-media @carol --sort access --older 1d", "list-media --remote --sort size --min-size 1k"],
    "list-quarantined": ["list-quarantined"],
    "media": ["media {media}"],
    "check-media": ["check-media"],
    "db": ["db"],
    "db-size": ["db-size", "db-size --indexes", "db-size --rooms"],
    "db-growth": ["db-growth"],
    "db-bloat": ["db-bloat"],
    "db-activity": ["db-activity --all"],
    "check-backup": ["check-backup"],
    "check-db": ["check-db"],
    "check-orphans": ["check-orphans"],
    "check-state-groups": ["check-state-groups"],
    "shrink": ["shrink"],
    "schedules": ["schedules"],
    "policies": ["policies"],
    "alerts": ["alerts"],
    "report": ["report", "report weekly", "report disk", "report media", "report users"],
    "query": ["query"],
    "jobs": ["jobs"],
}
# Reads that answer only about a job, a plan or a space that must exist first.
NEED_SOMETHING = {"job", "log", "yes", "no", "space"}


def report_lines(steward):
    """Every line of every report, each named query among them. The caller fills in {room} and {media}."""
    known = {command["name"] for command in commands(steward) if command["level"] == 0}
    missing = known - set(REPORTS) - NEED_SOMETHING
    assert not missing, f"no line in tests/support/lines.py for {sorted(missing)}"
    queries = [row["name"] for row in json.loads(steward.exec("query", "--json", check=True).stdout)]
    lines = [line for name, some in sorted(REPORTS.items()) if name in known for line in some]
    return [line for line in lines + [f"query {name}" for name in queries] if not line.startswith(TOO_NEW)]


def dry_run_lines(steward):
    """{command: its lines with --dry-run} of every command that has the flag; before the line that a schedule is made of."""
    names = {command["name"] for command in commands(steward) if has_dry_run(command)}
    missing = names - set(DRY_RUNS)
    assert not missing, f"no line in tests/support/lines.py for the dry run of {sorted(missing)}"
    return {name: [line.replace(name, f"{name} --dry-run", 1) for line in DRY_RUNS[name] if not line.startswith(TOO_NEW)] for name in sorted(names)}
