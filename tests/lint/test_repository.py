"""What every committed file keeps to: commands have manuals, statements have headers, no secrets, no paths of one machine."""

import re

from sources import ROOT, files, name, report, tracked_files


def test_every_command_has_its_manual():
    problems = []
    for path in files("commands/*.cpp"):
        names = re.findall(r'\.name\s*=\s*"([a-z0-9-]+)"', path.read_text())
        manual = path.with_suffix(".md")
        if "Spec" not in path.read_text() or not names or path.stem == "all":
            continue
        if not manual.exists():
            problems.append(f"{name(path)}: its manual page {manual.name} is missing")
    report(problems)


def test_every_manual_belongs_to_a_command():
    """A tight family shares one source; each of its pages is still named there."""
    used = set(re.findall(r'\bmanual\("([a-z_]+)"\)', "\n".join(path.read_text() for path in files("commands/*.cpp"))))
    report([f"{name(path)}: no command uses it" for path in files("commands/*.md") if path.stem not in used])


def test_statements_have_headers():
    """A file under sql/ can be run by hand, so it says first what it does and what it costs."""
    problems = []
    for path in files("sql/*.sql"):
        head = ""
        for line in path.read_text().splitlines():
            if not line.startswith("--"):
                break
            head += line.lower() + "\n"
        for word in ("lock", "schema", "synapse"):
            if word not in head:
                problems.append(f"{name(path)}: its header says nothing about '{word}' (purpose, locks, safe while Synapse runs, schema)")
        if re.search(r"\bLIKE\s+:'", path.read_text(), re.IGNORECASE):
            problems.append(f"{name(path)}: ids are opaque; compare them, never LIKE")
    report(problems)


def test_migrations_are_numbered_without_gaps():
    numbers = [int(re.match(r"\d+", path.name).group()) for path in files("sql/schema/*.sql") if re.match(r"\d+", path.name)]
    assert sorted(numbers) == list(range(1, len(numbers) + 1))


SUSPICIOUS = {
    "path of one machine": re.compile(r"(?<![\w.*])/(?:wo" r"rk|far" r"m|ro" r"ot|home/\w+)/[\w.]|(?<![\w.])/tmp/(?:w|b)/"),
    "access token": re.compile(r"\bsyt_\w+_[A-Za-z]{20}_\w{6}\b|\b(?:mct|mat)_[A-Za-z0-9]{30}_\w{6}\b"),
    "private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    "conflict mark": re.compile(r"^(?:<<<<<<<|>>>>>>>) ", re.MULTILINE),
}


def test_no_secrets_and_no_machine_paths():
    problems = []
    for path in tracked_files():
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        for what, pattern in SUSPICIOUS.items():
            for found in pattern.finditer(text):
                line = text.count("\n", 0, found.start()) + 1
                problems.append(f"{name(path)}:{line}: looks like a {what}: {found.group()[:24]}…")
    report(problems)


def test_scripts_can_run():
    problems = []
    for path in [*files("scripts/*"), ROOT / ".ci/run"]:
        if path.suffix in ("", ".sh") and path.exists():
            if not path.stat().st_mode & 0o111:
                problems.append(f"{name(path)}: not executable")
            if not path.read_text().startswith("#!"):
                problems.append(f"{name(path)}: no interpreter line")
    report(problems)
