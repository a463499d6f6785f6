#!/usr/bin/env python3
"""Turns files into a C++ header and source: SQL statements, migrations of the bot's own schema, or plain texts.

    embed.py sql    OUT.cpp OUT.hpp NAMESPACE INCLUDE FILE…   one `extern const Statement <file name>;` per file, and a list of
                                                              all; a FILE rights.tsv gives the rights that each needs
    embed.py schema OUT.cpp OUT.hpp NAMESPACE INCLUDE FILE…   a list of numbered migrations (NNN_name.sql)
    embed.py text   OUT.cpp OUT.hpp NAMESPACE INCLUDE FILE…   text("file name without ending")

Parameters of a statement are written :'name', so that `psql -v name=… -f file` runs it by hand; here they become $1, $2 …
in the order of their first use. A name that differs (a table, a column) is written :"name", also for psql; it stays as it
is, and with_names() of bot/db/names.hpp puts it in. The outputs are touched only when their content changes: no needless rebuild.
"""

import re
import sys
from pathlib import Path

RIGHTS_FILE = "rights.tsv"  # made by scripts/sql-rights
ROLES = ("reader", "writer")
CHANGING = re.compile(r"\b(?:DELETE FROM|INSERT INTO|UPDATE \w+ (?:\w+ )?SET|FOR (?:NO KEY UPDATE|UPDATE|KEY SHARE|SHARE)|LOCK TABLE|TRUNCATE)\b", re.IGNORECASE)
HEADER_KEYS = ("purpose", "locks", "safe while Synapse runs", "schema")
CPP_WORDS = {
    "and", "asm", "auto", "bool", "break", "case", "catch", "char", "class", "const", "continue", "default", "delete",
    "do", "double", "else", "enum", "explicit", "export", "extern", "false", "float", "for", "friend", "goto", "if",
    "inline", "int", "long", "namespace", "new", "not", "operator", "or", "private", "protected", "public", "register",
    "return", "short", "signed", "sizeof", "static", "struct", "switch", "template", "this", "throw", "true", "try",
    "typedef", "typename", "union", "unsigned", "using", "virtual", "void", "volatile", "while", "xor",
}  # fmt: skip

# What may stand in SQL besides plain text. Order matters: a cast before a parameter, an escape string before a plain one.
TOKEN = re.compile(
    r"""(?P<line_comment>--[^\n]*)
      | (?P<block_comment>/\*)
      | (?P<escape_string>\b[eE]'(?:[^'\\]|\\.|'')*')
      | (?P<string>'(?:[^']|'')*')
      | (?P<identifier>"(?:[^"]|"")*")
      | (?P<dollar>\$(?P<tag>[A-Za-z_]*)\$.*?\$(?P=tag)\$)
      | (?P<cast>::)
      | (?P<parameter>:'(?P<name>[a-z][a-z0-9_]*)')
      | (?P<name_parameter>:"[a-z_]+")
      | (?P<bad_parameter>:["'])
      | (?P<semicolon>;)""",
    re.VERBOSE | re.DOTALL,
)


class Refused(Exception):
    pass


def header_of(path, text):
    """The leading comment lines; refused when one of the required keys is missing or empty."""
    lines = []
    for line in text.splitlines():
        if not line.startswith("--"):
            break
        lines.append(line[2:].strip())
    for key in HEADER_KEYS:
        if not any(line.startswith(key + ":") and line[len(key) + 1 :].strip() for line in lines):
            raise Refused(f'{path}: the header comment lacks a line "-- {key}: …"')
    return lines


def role_of(path, header, body):
    """Which role runs it: the reader unless the header has a line "role: writer". What changes rows must say so."""
    role = next((line.removeprefix("role:").strip() for line in header if line.startswith("role:")), "reader")
    if role not in ROLES:
        raise Refused(f"{path}: role is {' or '.join(ROLES)}, not {role!r}")
    if role == "reader" and CHANGING.search(re.sub(r"--[^\n]*", "", body)):
        raise Refused(f'{path}: it changes or locks rows, so its header needs the line "-- role: writer"')
    return role


def rights_by_statement(path):
    """{statement: [(privilege, table, [column])]} of rights.tsv."""
    rights = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            name, privilege, table, *columns = line.split("\t")
            rights.setdefault(name, []).append((privilege, table, columns[0].split() if columns else []))
    return rights


def without_header(text):
    lines = text.splitlines()
    while lines and (lines[0].startswith("--") or not lines[0].strip()):
        lines.pop(0)
    return "\n".join(lines).strip()


def end_of_block_comment(text, start):
    depth, position = 0, start
    while position < len(text):
        if text.startswith("/*", position):
            depth, position = depth + 1, position + 2
        elif text.startswith("*/", position):
            depth, position = depth - 1, position + 2
            if depth == 0:
                return position
        else:
            position += 1
    raise Refused("a block comment does not end")


def number_parameters(text):
    """(text with $n, names in order). Refuses several statements: the server takes one per prepared text."""
    out, names, position, ended = [], [], 0, False
    while True:
        match = TOKEN.search(text, position)
        if not match:
            out.append(text[position:])
            break
        between = text[position : match.start()]
        comment = match.lastgroup in ("line_comment",) or match.group("block_comment")
        if ended and (between.strip() or not comment):
            raise Refused("more than one statement in the file")
        out.append(between)
        position = match.end()
        if match.group("block_comment"):
            position = end_of_block_comment(text, match.start())
            out.append(text[match.start() : position])
        elif match.group("parameter"):
            name = match.group("name")
            if name not in names:
                names.append(name)
            out.append(f"${names.index(name) + 1}")
        elif match.group("bad_parameter"):
            raise Refused(f"only :'lower_case_name' and :\"lower_case_name\" are parameters, not {text[match.start():match.start() + 12]!r}")
        elif match.group("semicolon"):
            ended = True
        else:
            out.append(match.group(0))
    if ended and out[-1].strip():
        raise Refused("more than one statement in the file")
    return "".join(out).strip(), names


def literal(text):
    delimiter = "steward"
    while f"){delimiter}\"" in text:
        delimiter += "_"
    return f'R"{delimiter}({text}){delimiter}"'


def right_literal(privilege, table, columns):
    quoted = ", ".join(f'"{column}"' for column in columns)
    return f'{{"{privilege}", "{table}", {{{quoted}}}}}'


def embed_sql(files):
    declarations, definitions, names_of_all = [], [], []
    rights = {}
    for path in [path for path in files if path.name == RIGHTS_FILE]:
        rights = rights_by_statement(path)
        files.remove(path)
    for path in files:
        name = path.stem
        if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or name in CPP_WORDS:
            raise Refused(f"{path}: the file name must be a lower_case C++ name")
        text = path.read_text(encoding="utf-8")
        header = header_of(path, text)
        purpose = next((line for line in header if line.startswith("purpose:")), "")
        prepared = "true" if "prepared: yes" in header else "false"
        try:
            body, names = number_parameters(without_header(text))
            role = role_of(path, header, body)
        except Refused as problem:
            raise Refused(str(problem) if str(problem).startswith(str(path)) else f"{path}: {problem}") from None
        if not body:
            raise Refused(f"{path}: no statement in it")
        declarations.append(f"extern const Statement {name};  // {purpose.removeprefix('purpose:').strip()}")
        parameters = ", ".join(f'"{parameter}"' for parameter in names)
        needed = ", ".join(right_literal(*right) for right in rights.get(name, []))
        definitions.append(f'const Statement {name}{{"{name}", {literal(body)}, {{{parameters}}}, {prepared}, Role::{role}, {{{needed}}}}};')
        names_of_all.append(f"&{name}")
    declarations.append("extern const std::vector<const Statement*> all_statements;")
    definitions.append("const std::vector<const Statement*> all_statements{\n" + ",\n".join(names_of_all) + "};")
    return '#include "db/statement.hpp"\n', declarations, definitions


def embed_schema(files):
    rows = []
    for path in files:
        match = re.fullmatch(r"(\d{3})_([a-z0-9_]+)\.sql", path.name)
        if not match or int(match.group(1)) != len(rows) + 1:
            raise Refused(f"{path}: migrations are named NNN_name.sql and numbered without a gap from 001")
        rows.append(f'{{{int(match.group(1))}, "{match.group(2)}", {literal(path.read_text(encoding="utf-8"))}}}')
    declarations = ["extern const std::vector<Migration> migrations;"]
    definitions = ["const std::vector<Migration> migrations{\n" + ",\n".join(rows) + "};"]
    return '#include <vector>\n\n#include "db/statement.hpp"\n', declarations, definitions


def embed_text(files):
    declarations = ["// The embedded text of that name (its file without the ending), \"\" when there is none.",
                    "std::string_view text(std::string_view name);",
                    "std::vector<std::string_view> text_names();"]  # fmt: skip
    rows = "".join(f'{{"{path.stem}", {literal(path.read_text(encoding="utf-8"))}}},\n' for path in files)
    definitions = [
        "namespace {\nstruct Text { std::string_view name, text; };\n"
        f"const std::vector<Text> texts{{{rows}}};\n}}  // namespace",
        "std::string_view text(std::string_view name) {\n"
        "  for (const Text& each : texts)\n    if (each.name == name) return each.text;\n  return {};\n}",
        "std::vector<std::string_view> text_names() {\n  std::vector<std::string_view> names;\n"
        "  for (const Text& each : texts) names.push_back(each.name);\n  return names;\n}",
    ]
    return "#include <string_view>\n#include <vector>\n", declarations, definitions


def write(path, content):
    if not path.exists() or path.read_text(encoding="utf-8") != content:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")


def main(arguments):
    kind, source, header, namespace, include, *names = arguments
    files = sorted((Path(name) for name in names), key=lambda path: path.name)
    includes, declarations, definitions = {"sql": embed_sql, "schema": embed_schema, "text": embed_text}[kind](files)
    note = f"// Generated from the {kind} files by cmake/embed.py; do not edit.\n"
    opening, closing = f"\nnamespace {namespace} {{\n\n", f"\n\n}}  // namespace {namespace}\n"
    write(Path(header), note + "#pragma once\n\n" + includes + opening + "\n".join(declarations) + closing)
    write(Path(source), note + f'#include "{include}"\n' + opening + "\n\n".join(definitions) + closing)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except Refused as problem:
        sys.exit(f"embed.py: {problem}")
