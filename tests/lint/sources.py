"""The files of this repository as the lints read them."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def files(*patterns):
    """Source files by glob below the root, build output left out."""
    return sorted(path for pattern in patterns for path in ROOT.glob(pattern) if path.is_file())


def cpp_files():
    return files("bot/**/*.cpp", "bot/**/*.hpp", "commands/*.cpp", "commands/*.hpp", "tests/**/*.cpp", "tests/**/*.hpp", "bench/**/*.cpp")


def tracked_files():
    """Every text file that git knows, or (in a source archive) every file outside of build folders."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode == 0:
        return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]
    return [path for path in files("**/*") if not {"build", ".demo", ".git", "node_modules"} & set(path.relative_to(ROOT).parts)]


def name(path):
    return str(path.relative_to(ROOT))


def layer(path):
    """`db` for bot/db/session.cpp, `commands` for commands/…, `main` for bot/main.cpp, '' for tests and benchmarks."""
    parts = path.relative_to(ROOT).parts
    if parts[0] == "bot":
        return parts[1] if len(parts) > 2 else "main"
    return "commands" if parts[0] == "commands" else ""


def includes(path):
    """(line number, spelling without brackets, is it in <>) of every include."""
    for number, line in enumerate(path.read_text().splitlines(), 1):
        found = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
        if found:
            yield number, found.group(2), found.group(1) == "<"


def report(problems):
    assert not problems, "\n" + "\n".join(problems)
