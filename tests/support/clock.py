"""A clock under the test's control: servers started inside `with Clock(folder):` go by it (libfaketime); the test itself does not."""

import datetime
import os
import time
from pathlib import Path

from .process import Unavailable

LIBRARIES = ("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1", "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1")


class Clock:
    """Runs as the real one does, so many seconds ahead of it."""

    def __init__(self, folder):
        library = next((path for path in LIBRARIES if Path(path).exists()), None)
        if not library:
            raise Unavailable("libfaketime is not installed")
        self.file = Path(folder) / "clock"
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.ahead = 0.0
        self.environment = {
            "LD_PRELOAD": library,
            "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",  # what waits so many seconds really waits
        }
        self._write()

    def _write(self):
        fresh = self.file.with_suffix(".new")
        fresh.write_text(f"{self.ahead:+.0f}\n")
        fresh.chmod(0o644)
        fresh.rename(self.file)

    def now(self):
        return datetime.datetime.fromtimestamp(time.time() + self.ahead, datetime.UTC)

    def jump_to(self, moment):
        """Forward only; every server follows in less than two seconds: libfaketime compares whole seconds of the real clock with
        those of its last look at the file, and takes a difference of one for fresh."""
        assert moment > self.now(), f"{moment} has passed"
        self.ahead += (moment - self.now()).total_seconds()
        self._write()
        time.sleep(2.1)

    def next(self, hour, minute=0, second=0, weekday=None):
        """The next time the clock shows this (on that weekday, Monday is 0)."""
        moment = self.now().replace(hour=hour, minute=minute, second=second, microsecond=0)
        while moment <= self.now() or (weekday is not None and moment.weekday() != weekday):
            moment += datetime.timedelta(days=1)
        return moment

    def __enter__(self):
        self._before = {name: os.environ.get(name) for name in self.environment}
        os.environ.update(self.environment)
        return self

    def __exit__(self, *_):
        for name, value in self._before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
