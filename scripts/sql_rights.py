"""The work of scripts/sql-rights."""

import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from support.postgres import Postgres  # noqa: E402
from support.statements import rights_path, rights_text  # noqa: E402
from support.synapse import Synapse  # noqa: E402

(ROOT / "build").mkdir(exist_ok=True)
folder = Path(tempfile.mkdtemp(prefix="sql-rights-", dir=ROOT / "build"))
postgres = Postgres(folder / "postgres", durable=False)
try:
    postgres.start()
    synapse = Synapse(folder / "synapse", postgres, "rights").start()
    synapse.stop()
    with postgres.connect("rights") as connection, connection.cursor() as cursor:
        text = rights_text(cursor, synapse.sql_value("SELECT version FROM schema_version"))
    changed = not rights_path().exists() or rights_path().read_text() != text
    rights_path().write_text(text)
    print(f"sql/{rights_path().name} {'is written' if changed else 'was current'}: {text.count(chr(10)) - 1} rights")
finally:
    postgres.remove()
    shutil.rmtree(folder, ignore_errors=True)
