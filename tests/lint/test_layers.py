"""Who may include whom: folder = library = layer, lower layers never know higher ones, libraries stay behind their adapter."""

import pytest
from sources import cpp_files, files, includes, layer, name, report

# Each layer and what it may include besides itself.
BASE = {"core"}
NETWORK = BASE | {"async", "http"}
ROOM = NETWORK | {"matrix", "synapse", "db", "crypto"}
FRAME = ROOM | {"room", "report", "jobs", "host"}
ALLOWED = {
    "core": set(),
    "compression": BASE,
    "config": BASE,
    "async": BASE,
    "http": BASE | {"async"},
    "db": NETWORK,
    "matrix": NETWORK,
    "synapse": NETWORK,
    "crypto": NETWORK | {"matrix"},
    "host": NETWORK | {"synapse"},
    "room": ROOM,
    "report": ROOM | {"room"},
    "jobs": ROOM | {"room", "report"},
    "command": FRAME,
    "commands": FRAME | {"command", "compression"},
    "app": FRAME | {"command", "commands", "config"},
    "main": FRAME | {"command", "commands", "config", "app"},
}

# Library header prefix: which files may include it.
LIBRARIES = {
    "pqxx": lambda path: layer(path) == "db" and path.suffix == ".cpp",
    "boost/beast": lambda path: layer(path) == "http" and path.suffix == ".cpp" or layer(path) == "",
    "nlohmann/json.hpp": lambda path: layer(path) == ""
    or path.suffix == ".cpp"
    and (layer(path) in {"matrix", "synapse", "config", "report", "room", "jobs", "command"} or name(path) == "bot/app/fallback.cpp"),
    "yaml-cpp": lambda path: layer(path) in {"config", ""} or layer(path) == "host" and path.suffix == ".cpp",
    "spdlog": lambda path: name(path) == "bot/core/log.cpp",
    "cairo": lambda path: name(path) == "bot/report/canvas.cpp",
    "CLI/": lambda path: layer(path) == "main",
}


def test_every_layer_is_known():
    unknown = {layer(path) for path in cpp_files()} - set(ALLOWED) - {""}
    assert not unknown, f"new layers need a line in this table: {unknown}"


def test_direction_of_includes():
    problems = []
    for path in cpp_files():
        own = layer(path)
        if not own:
            continue
        for number, spelling, system in includes(path):
            target = spelling.split("/")[0]
            if not system and target in ALLOWED and target != own and target not in ALLOWED[own]:
                problems.append(f"{name(path)}:{number}: {own} must not include {spelling}")
    report(problems)


@pytest.mark.parametrize("library", LIBRARIES)
def test_library_stays_in_its_adapter(library):
    report([
        f"{name(path)}:{number}: <{spelling}> does not belong here"
        for path in cpp_files()
        for number, spelling, _ in includes(path)
        if spelling.startswith(library) and not LIBRARIES[library](path)
    ])  # fmt: skip


def test_few_files_pay_for_beast_and_pqxx():
    """Both cost up to a minute per file."""
    beast = {path for path in cpp_files() if layer(path) and any("boost/beast" in spelling for _, spelling, _ in includes(path))}
    pqxx = {path for path in cpp_files() if layer(path) and any(spelling.startswith("pqxx") for _, spelling, _ in includes(path))}
    assert len(beast) <= 3, sorted(map(name, beast))
    assert len(pqxx) <= 2, sorted(map(name, pqxx))


def test_asio_is_included_narrowly():
    report([
        f"{name(path)}:{number}: include the one header of Boost.Asio that is needed"
        for path in cpp_files()
        for number, spelling, _ in includes(path)
        if spelling in ("boost/asio.hpp", "boost/beast.hpp")
    ])  # fmt: skip


def test_headers_say_what_they_are():
    report([
        f"{name(path)}: starts with two to five lines of comment: what it is, who uses it, on which thread"
        for path in files("bot/**/*.hpp", "commands/*.hpp")
        if not path.read_text().startswith("//")
    ])  # fmt: skip


def test_headers_are_included_once():
    report([f"{name(path)}: #pragma once" for path in files("bot/**/*.hpp", "commands/*.hpp") if "#pragma once" not in path.read_text()])
