"""Finds full-expressions that g++ 12 miscompiles: a co_await beside a capturing lambda or braces (destroyed twice).

A text is cut into brackets, every `{` is classified (block, lambda body, initializer), and the full-expression around each
co_await is walked to its ends. No compiler is needed; what it cannot classify it calls a block, so it errs on silence only there.
"""

import re
from dataclasses import dataclass

CONTROL = re.compile(r"\b(?:if|while|for|switch|catch)\s*(?:constexpr\s*)?$")
AFTER_PARAMETERS = re.compile(r"\)\s*(?:(?:mutable|noexcept|const|override|final|constexpr|&&?)\s*)*(?:->\s*[\w:<>,\s*&]+?\s*)?$")
LAMBDA_BARE = re.compile(r"\]\s*(?:(?:mutable|noexcept)\s*)*(?:->\s*[\w:<>,\s*&]+?\s*)?$")
NAMED_BLOCK = re.compile(r"\b(?:namespace|struct|class|union|enum|extern)\b[^;{}()=]*$")
BLOCK_WORD = re.compile(r"(?:\b(?:else|do|try)|[;{}:]|^)\s*$")
LITERAL_BRANCHES = re.compile(r'\?\s*"\s*"\s*:\s*"\s*"(?!\s*\?)')  # both branches literals: no temporary to destroy
OPEN, CLOSE = "([{", ")]}"


@dataclass
class Finding:
    line: int
    what: str
    text: str

    def __str__(self):
        return f"{self.line}: {self.what}: {self.text}"


def blank(source):
    """The source with comments, strings, characters and preprocessor lines blanked, every position kept."""
    pattern = re.compile(
        r'//[^\n]*|/\*.*?\*/|R"([^()\\\s]{0,16})\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])\'(?:\\.|[^\'\\\n])+\'|^[ \t]*#(?:\\\n|[^\n])*',
        re.DOTALL | re.MULTILINE,
    )

    def replace(found):
        text = found.group()
        inside = re.sub(r"[^\n]", " ", text)
        return f'"{inside[1:-1]}"' if text[0] in "\"R" and len(text) > 1 and "\n" not in text else inside

    return pattern.sub(replace, source)


class Code:
    def __init__(self, source):
        self.source = source
        self.text = blank(source)
        self.partner = {}
        stack = []
        for position, character in enumerate(self.text):
            if character in OPEN:
                stack.append(position)
            elif character in CLOSE and stack:
                opener = stack.pop()
                self.partner[opener] = position
                self.partner[position] = opener
        self.kinds = {position: self._kind(position) for position, character in enumerate(self.text) if character == "{"}

    def before(self, position, length=400):
        return self.text[max(0, position - length) : position]

    def _kind(self, brace):
        """block, lambda or init."""
        head = self.before(brace)
        if BLOCK_WORD.search(head) and not re.search(r"[^:]::\s*$", head):
            return "block"
        if NAMED_BLOCK.search(head):
            return "block"
        found = AFTER_PARAMETERS.search(head)
        if found:
            closer = brace - len(head) + found.start()
            opener = self.partner.get(closer)
            if opener is None:
                return "block"
            previous = self.before(opener).rstrip()
            if previous.endswith("]") and self._is_lambda(self.partner.get(len(self.before(opener, 10**9).rstrip()) - 1)):
                return "lambda"
            return "block"
        found = LAMBDA_BARE.search(head)
        if found and self._is_lambda(self.partner.get(brace - len(head) + found.start())):
            return "lambda"
        return "init"

    def _is_lambda(self, bracket):
        """Whether the `[` at this position introduces a lambda (and not a subscript or an attribute)."""
        if bracket is None or self.text[bracket] != "[":
            return False
        if self.text[bracket + 1] == "[" or self.text[bracket - 1] == "[":
            return False
        previous = self.before(bracket, 40).rstrip()
        if re.search(r"\b(?:return|co_return|co_await|co_yield|case)$", previous):
            return True
        return not re.search(r"[\w)\]\"]$", previous)

    def is_control(self, paren):
        return self.text[paren] == "(" and bool(CONTROL.search(self.before(paren, 60)))

    def expression(self, position):
        """(start, end) of the full-expression around a position."""
        start = position
        while start > 0:
            character = self.text[start - 1]
            if character == ";":
                break
            if character in CLOSE:
                opener = self.partner.get(start - 1)
                if opener is None or (character == "}" and self.kinds[opener] == "block"):
                    break
                if character == ")" and self.is_control(opener):
                    break
                start = opener
                continue
            if character == "{" and self.kinds[start - 1] != "init":
                break
            if character == "(" and self.is_control(start - 1):
                break
            start -= 1
        end = position
        while end < len(self.text):
            character = self.text[end]
            if character == ";":
                break
            if character in OPEN:
                if character == "{" and self.kinds[end] == "block":
                    break
                end = self.partner.get(end, len(self.text) - 1) + 1
                continue
            if character in CLOSE:
                opener = self.partner.get(end)
                if opener is None or (character == "}" and self.kinds[opener] != "init") or (character == ")" and self.is_control(opener)):
                    break
            end += 1
        return start, end

    def line(self, position):
        return self.text.count("\n", 0, position) + 1

    def shown(self, start, end):
        return " ".join(self.source[start:end].split())[:140]


def check(source):
    """All findings of one file."""
    code = Code(source)
    findings, seen = [], set()
    for found in re.finditer(r"\bco_await\b", code.text):
        start, end = code.expression(found.start())
        if _in_catch(code, found.start()):
            findings.append(Finding(code.line(found.start()), "co_await inside catch", code.shown(start, end)))
        if (start, end) in seen:
            continue
        seen.add((start, end))
        for what in _problems(code, start, end, found.start()):
            findings.append(Finding(code.line(found.start()), what, code.shown(start, end)))
    return findings


def _problems(code, start, end, awaits):
    problems = []
    position = start
    while position < end:
        character = code.text[position]
        if character == "[" and code._is_lambda(position):
            closer = code.partner.get(position, position)
            if code.text[position + 1 : closer].strip():
                problems.append("a capturing lambda beside co_await")
            position = closer + 1
            continue
        if character == "{":
            if code.kinds[position] == "lambda":
                position = code.partner.get(position, end) + 1
                continue
            if code.kinds[position] == "init":
                problems.append("braces beside co_await")
        # Also in an argument: `f(co ? std::string(a) : b)` made a temporary that g++ 12 destroyed twice (seen in jobs/progress).
        if character == "?" and not LITERAL_BRANCHES.match(code.text, position):
            problems.append("co_await beside a conditional operator")
        position += 1
    if code.text[max(0, start - 1)] == "(" and code.is_control(start - 1) and CONTROL.search(code.before(start - 1, 60)).group().startswith("for"):
        if re.search(r"[^:]:[^:]", code.text[start:awaits]):
            problems.append("co_await in the head of a range-for")
    return sorted(set(problems))


def _in_catch(code, position):
    """Whether a block of the same function around this position is a catch handler."""
    depth = 0
    for here in range(position - 1, -1, -1):
        character = code.text[here]
        if character == "}":
            depth += 1
        elif character == "{":
            if depth:
                depth -= 1
                continue
            if code.kinds[here] == "lambda":
                return False
            if re.search(r"\bcatch\s*\([^()]*\)\s*$", code.before(here)):
                return True
    return False
