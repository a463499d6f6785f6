"""An admin with a real Matrix client (matrix-nio) in the bot's room: types, replies, taps reactions, edits, and reads.

The client runs on a thread of its own; a test calls plain functions and gets Message objects whose text follows the bot's edits.
"""

import asyncio
import html
import re
import threading
import time
from dataclasses import dataclass, field

from nio import AsyncClient, AsyncClientConfig, LoginResponse, RoomMessagesResponse, RoomSendResponse, SyncResponse

from .process import patience


@dataclass
class Message:
    """One message of the room as a client shows it: the newest edit, its reactions, what it answers."""

    event_id: str
    sender: str
    msgtype: str
    body: str
    html: str
    position: int
    reply_to: str | None = None
    thread: str | None = None
    mentions: list = field(default_factory=list)
    versions: list = field(default_factory=list)
    reactions: dict = field(default_factory=dict)
    redacted: bool = False
    content: dict = field(default_factory=dict)
    received: float = field(default_factory=time.monotonic)

    @property
    def rings(self):
        """Whether a phone rings: m.text with a mention."""
        return self.msgtype == "m.text" and bool(self.mentions)

    @property
    def first_body(self):
        """What it said before it was edited: a closed card no longer names its words."""
        return self.versions[0][1] if self.versions else self.body

    def __contains__(self, words):
        return words.lower() in self.body.lower()

    @property
    def plan_number(self):
        """The number that a plan card asks to confirm with, or None."""
        found = re.search(r"\byes (\d+)\b", self.first_body)
        return int(found.group(1)) if found else None

    @property
    def plan_words(self):
        """`yes 41 word` as the card asks for it (level 4), or `yes 41`."""
        found = re.search(r"\byes \d+(?: [\w.-]+)?", self.first_body)
        return found.group(0) if found else None


class Admin:
    """A logged-in user of a Synapse. connect() once, close() at the end."""

    def __init__(self, synapse, user, bot_id, echo=None):
        self.synapse = synapse
        self.user = user
        self.bot_id = bot_id
        self.echo = echo
        self.room = None
        self.messages = {}
        self.order = []
        self.invitations = {}
        self._reactions = {}
        self._changed = threading.Condition()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._stopping = False
        self._transaction = 0

    # Life.

    def connect(self):
        self._thread.start()
        self._run(self._connect())
        self._sync = asyncio.run_coroutine_threadsafe(self._follow(), self._loop)
        return self

    async def _connect(self):
        config = AsyncClientConfig(encryption_enabled=False, request_timeout=60, max_timeouts=0)
        self._client = AsyncClient(self.synapse.url, self.user.user_id, config=config)
        answer = await self._client.login(self.user.password, device_name="test client")
        if not isinstance(answer, LoginResponse):
            raise RuntimeError(f"login of {self.user.user_id}: {answer}")

    def close(self):
        self._stopping = True
        self._sync.cancel()
        try:
            self._run(self._client.close(), 5)
        except Exception:  # the client may be in the middle of a request to a server that is gone
            pass
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def _run(self, coroutine, timeout=300):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(timeout)

    async def _follow(self):
        while not self._stopping:
            try:
                answer = await self._client.sync(timeout=20000, since=self._client.next_batch)
            except Exception:  # Synapse is being restarted by the test
                await asyncio.sleep(0.3)
                continue
            if isinstance(answer, SyncResponse):
                self._take(answer)
            else:
                await asyncio.sleep(0.3)

    def _take(self, answer):
        with self._changed:
            for room, invitation in answer.rooms.invite.items():
                self.invitations[room] = [event.source for event in invitation.invite_state]
            for room, joined in answer.rooms.join.items():
                for event in joined.timeline.events:
                    self._read(room, event.source)
            self._changed.notify_all()

    def _read(self, room, source):
        if self.room and room != self.room:
            return
        content, kind, event_id = source.get("content", {}), source.get("type"), source.get("event_id")
        relation = content.get("m.relates_to", {}) if isinstance(content.get("m.relates_to"), dict) else {}
        if kind == "m.reaction":
            target = self.messages.get(relation.get("event_id"))
            self._reactions[event_id] = (relation.get("event_id"), relation.get("key"), source["sender"])
            if target:
                target.reactions.setdefault(relation.get("key"), []).append(source["sender"])
                self._show(f"    {source['sender']} reacts {relation.get('key')}")
        elif kind == "m.room.redaction":
            self._redact(source.get("redacts") or content.get("redacts"))
        elif kind == "m.room.message" and relation.get("rel_type") == "m.replace":
            target = self.messages.get(relation.get("event_id"))
            if target and target.sender == source["sender"]:
                fresh = content.get("m.new_content", content)
                target.body = fresh.get("body", "")
                target.html = fresh.get("formatted_body", "")
                target.msgtype = fresh.get("msgtype", target.msgtype)
                target.versions.append((time.monotonic(), target.body))
                self._show(f"    {source['sender']} edits:\n{_indent(target.body)}")
        elif kind == "m.room.message" and event_id not in self.messages:
            message = Message(
                event_id, source["sender"], content.get("msgtype", ""), content.get("body", ""),
                content.get("formatted_body", ""), len(self.order),
                reply_to=relation.get("m.in_reply_to", {}).get("event_id"),
                thread=relation.get("event_id") if relation.get("rel_type") == "m.thread" else None,
                mentions=content.get("m.mentions", {}).get("user_ids", []), content=content,
            )  # fmt: skip
            message.versions.append((time.monotonic(), message.body))
            self.messages[event_id] = message
            self.order.append(event_id)
            self._show(f"{source['sender']}{' (rings)' if message.rings else ''}:\n{_indent(message.body)}")

    def _redact(self, event_id):
        if event_id in self._reactions:
            target, key, sender = self._reactions.pop(event_id)
            senders = self.messages[target].reactions.get(key, []) if target in self.messages else []
            if sender in senders:
                senders.remove(sender)
                if not senders:
                    del self.messages[target].reactions[key]
        elif event_id in self.messages:
            self.messages[event_id].redacted = True

    def _show(self, text):
        if self.echo:
            self.echo(text)

    # The room.

    def join_admin_room(self, timeout=30):
        """Waits for the bot's invitation, joins, and from then on reads only that room."""
        room = self.wait_for(self._invited, timeout, f"an invitation from {self.bot_id}")
        return self.enter(room)

    def enter(self, room):
        self.room = room
        self.synapse.join(self.user, room)
        self.load_history()
        return room

    def _invited(self):
        for room, events in self.invitations.items():
            for event in events:
                if event.get("sender") == self.bot_id and event.get("state_key") == self.user.user_id:
                    return room
        return None

    def load_history(self, limit=200):
        """Reads what was said before this client came (the bot's welcome)."""
        answer = self._run(self._client.room_messages(self.room, start="", direction="b", limit=limit))
        if isinstance(answer, RoomMessagesResponse):
            with self._changed:
                for event in reversed(answer.chunk):
                    self._read(self.room, event.source)
                self._changed.notify_all()

    @property
    def conversation(self):
        with self._changed:
            return [self.messages[event_id] for event_id in self.order]

    def bot_messages(self, after=None):
        """What the bot said, in order; only after the given event or Message."""
        event_id = after.event_id if isinstance(after, Message) else after
        messages = self.conversation
        if event_id:
            positions = [message.position for message in messages if message.event_id == event_id]
            start = positions[0] if positions else len(messages)
            messages = messages[start + 1 :]
        return [message for message in messages if message.sender == self.bot_id]

    def members(self):
        rows = self.synapse.client("GET", f"/rooms/{self.room}/joined_members", token=self.user)["joined"]
        return set(rows)

    # Doing.

    def _put(self, kind, content, transaction=None):
        self._transaction += 1
        transaction = transaction or f"{self.user.localpart}-{self._client.device_id}-{self._transaction}"
        answer = self._run(self._client.room_send(self.room, kind, content, tx_id=transaction))
        if not isinstance(answer, RoomSendResponse):
            raise RuntimeError(f"sending {kind}: {answer}")
        event_id = answer.event_id
        if kind == "m.room.message" and content.get("m.relates_to", {}).get("rel_type") != "m.replace":
            self.wait_for(lambda: event_id in self.messages, 20, "the own message to come back by sync")
        return event_id

    def send(self, text, formatted=None, msgtype="m.text", reply_to=None, thread=None, **more):
        """A message as typed; the event id. `formatted` is the HTML body a rich client adds."""
        content = {"msgtype": msgtype, "body": text, **more}
        if formatted:
            content |= {"format": "org.matrix.custom.html", "formatted_body": formatted}
        if thread:
            content["m.relates_to"] = {"rel_type": "m.thread", "event_id": _id(thread)}
        elif reply_to:
            content["m.relates_to"] = {"m.in_reply_to": {"event_id": _id(reply_to)}}
        return self._put("m.room.message", content)

    def mention(self, text, name="steward"):
        """`steward: text` with a pill, as a client completes it."""
        pill = f'<a href="https://matrix.to/#/{self.bot_id}">{html.escape(name)}</a>: {html.escape(text)}'
        return self.send(f"{name}: {text}", pill, **{"m.mentions": {"user_ids": [self.bot_id]}})

    def edit(self, event, text):
        content = {"msgtype": "m.text", "body": text}
        return self._put("m.room.message", {
            "msgtype": "m.text", "body": "* " + text, "m.new_content": content,
            "m.relates_to": {"rel_type": "m.replace", "event_id": _id(event)},
        })  # fmt: skip

    def react(self, event, key):
        return self._put("m.reaction", {"m.relates_to": {"rel_type": "m.annotation", "event_id": _id(event), "key": key}})

    def redact(self, event, reason=None):
        return self._run(self._client.room_redact(self.room, _id(event), reason)).event_id

    # Waiting.

    def wait_for(self, condition, timeout, what):
        """The first true value of condition(), looked at whenever something arrives. The room is in the error."""
        deadline = time.monotonic() + timeout * patience()
        with self._changed:
            while True:
                value = condition()
                if value:
                    return value
                rest = deadline - time.monotonic()
                if rest <= 0:
                    raise TimeoutError(f"waited {timeout} s for {what}; the room ends:\n{self.transcript(12)}")
                self._changed.wait(min(rest, 0.25))

    def wait_message(self, *texts, after=None, timeout=30, where=None):
        """The bot's first message (newest text) that holds all of `texts`, in any case; after the given event."""

        def found():
            for message in self.bot_messages(after):
                if all(text in message for text in texts) and (where is None or where(message)):
                    return message
            return None

        return self.wait_for(found, timeout, f"a message of the bot with {texts}")

    def ask(self, text, *expected, timeout=30, **how):
        """Sends and waits for the bot's answer with the expected words (any answer when none are given)."""
        return self.wait_message(*expected, after=self.send(text, **how), timeout=timeout)

    def pictures(self, text, count, timeout=60):
        """Sends a command and waits for so many pictures below its answer: [(message, bytes)], the bytes as a client loads them."""
        event = self.send(text)

        def arrived():
            shown = [message for message in self.bot_messages(event) if message.msgtype == "m.image"]
            return shown if len(shown) >= count else None

        shown = self.wait_for(arrived, timeout, f"{count} pictures for {text}")
        return [(message, self.synapse.download(self.user, message.content["url"])) for message in shown]

    def plan(self, text, timeout=60, **how):
        """Sends a command that needs a confirmation; the plan's card."""
        return self.wait_message(after=self.send(text, **how), timeout=timeout, where=lambda message: message.plan_number)

    def receipts(self, number):
        """The messages that tell a job's end: new ones, not the live message that was edited to its last state."""
        return [
            message for message in self.bot_messages()
            if f"Job {number} " in message.body and "starting" not in message.versions[0][1]
            and any(f"· {word}" in message.body for word in ("done", "stopped", "failed"))
        ]  # fmt: skip

    def wait_receipt(self, number, timeout=60):
        return self.wait_for(lambda: self.receipts(number), timeout, f"the receipt of job {number}")[-1]

    def live_message(self, number, timeout=30):
        """The one message of a running job that is edited as it goes on."""

        def found():
            return next((m for m in self.bot_messages() if f"Job {number} " in m.body and "· starting" in m.versions[0][1]), None)

        return self.wait_for(found, timeout, f"the live message of job {number}")

    def confirm(self, card):
        """Answers as the card asks: the words in the room."""
        return self.send(card.plan_words)

    def stays_silent(self, after, seconds=3):
        """The bot's messages after an event, once `seconds` have passed: empty means silence."""
        time.sleep(seconds * patience())
        return self.bot_messages(after)

    def wait_reaction(self, event, *keys, timeout=30, by=None):
        """The key with which the bot (or `by`) reacted on an event."""

        def found():
            message = self.messages.get(_id(event))
            for key, senders in (message.reactions if message else {}).items():
                if (not keys or key.rstrip("\ufe0f") in keys) and (by or self.bot_id) in senders:
                    return key
            return None

        return self.wait_for(found, timeout, f"a reaction {keys} on {_id(event)}")

    def transcript(self, last=None):
        """The conversation as text, newest edits in place."""
        lines = []
        for event_id in self.order[-last:] if last else self.order:
            message = self.messages[event_id]
            reactions = " ".join(message.reactions)
            lines.append(f"{message.sender}{' [' + reactions + ']' if reactions else ''}:\n{_indent(message.body)}")
        return "\n".join(lines)


def _id(event):
    return event.event_id if isinstance(event, Message) else event


def _indent(text):
    return "\n".join("    " + line for line in text.splitlines())
