"""The coroutine rule for g++ 12: beside a co_await no capturing lambda, no braces, no `?:`; none in catch or a range-for's head."""

import pytest
from coroutines import check
from sources import cpp_files, name, report

BAD = {
    "lambda by value": "co_await f([s] { return s; });",
    "lambda with reference": "auto x = co_await on(pool, [&] { return 1; });",
    "co_spawn of an executor": "co_spawn(co_await this_coro::executor, [s]() -> awaitable<void> { co_return; }, detached);",
    "called at once": "co_await [s]() -> awaitable<int> { co_return 1; }();",
    "aggregate": "co_await send({.body = a, .html = b});",
    "named aggregate": "co_await send(Message{a, b});",
    "list": 'co_await post(path, {{"k", v}});',
    "empty aggregate": "const auto r = co_await client.call(Request{});",
    "awaited inside braces": "Pair p{co_await left(), 1};",
    "conditional": "auto x = ready ? co_await a() : b();",
    "conditional of temporaries": "co_await say(text(ending.empty() ? std::string(word) : ending));",
    "condition": "auto x = co_await a() ? 1 : 2;",
    "range-for": "for (auto& row : co_await rows()) use(row);",
    "catch": "try { f(); } catch (const std::exception& error) { co_await say(error); }",
    "control": "if (co_await f(Options{1})) { g(); }",
    "return": "co_return co_await run(Plan{.number = 1});",
    "lambda after a subscript": "co_await f(map[key], [x = std::move(y)]() mutable { return x; });",
}
GOOD = {
    "named first": "auto work = [s] { return s; };\nauto r = co_await on(pool, std::move(work));",
    "aggregate named first": "Message message{a, b};\nauto r = co_await send(std::move(message));",
    "lambda without captures": "co_await f([] { return 1; });",
    "condition and block": "if (!co_await ready()) { Message m{1}; send(m); }",
    "else": "if (auto r = co_await f(x); !r) co_return std::unexpected(r.error());\nFoo foo{1};",
    "loop": "for (auto& item : items) { const auto r = co_await act(item); std::vector<int> v{1, 2}; }",
    "coroutine lambda": "auto work = [this]() -> awaitable<void> { co_await run(); };",
    "spawned": "co_spawn(executor, [self]() -> awaitable<void> { co_await self->run(); }, detached);",
    "subscript": "auto x = co_await f(table[index]);",
    "text": 'co_await say("a {} b? [x]");',
    "comment": "co_await f(x);  // {a} [b]",
    "conditional argument": 'auto r = co_await move(job, again ? "queued" : "stopped");',
    "while": "while (true) { auto r = co_await next(); if (!r) break; }",
    "three dots": "co_await f(std::move(a)); } catch (...) { failed = true; }",
    "function": "awaitable<Result<int>> C::f(int a) const { co_return co_await g(a); }",
    "member initializers": "C::C(int a) : a_{a}, b_(a) {}\nawaitable<void> C::f() { co_await g(); }",
}


@pytest.mark.parametrize("case", BAD)
def test_finds(case):
    body = BAD[case]
    assert check("awaitable<void> f() {\n" + body + "\n}\n"), body


@pytest.mark.parametrize("case", GOOD)
def test_passes(case):
    body = GOOD[case]
    prefix = "" if case in ("function", "member initializers") else "awaitable<void> f() { try {\n" if case == "three dots" else "awaitable<void> f() {\n"
    assert not check(prefix + body + "\n}\n"), [str(finding) for finding in check(prefix + body + "\n}\n")]


def test_the_sources():
    report([f"{name(path)}:{finding}" for path in cpp_files() for finding in check(path.read_text())])
