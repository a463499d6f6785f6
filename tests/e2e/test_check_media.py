"""!check-media: rows and files compared both ways; what is found is counted to the byte and nothing is touched."""

import os
import time

import pytest


@pytest.fixture(scope="module")
def stocked(new_world):
    world = new_world().start()
    world.local = world.fill.media(world.user("carol"), 6, 1_000, age_days=1)
    world.fill.remote_media("far.example", count=3, size=500)
    world.fill.remote_media("other.example", count=2, size=500)
    return world


def configure(world):
    world.steward.change_config(media={"path": str(world.synapse.media_path)})
    world.steward.hang_up()
    world.steward.wait_log("media.path is applied")


def stray(world, name, size, age=3600):
    path = world.synapse.media_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    os.utime(path, (time.time() - age,) * 2)
    return path


def test_without_the_folder_it_says_what_to_write_where(stocked):
    assert "media.path" in stocked.alice.ask("!check-media")


def test_all_is_well(stocked):
    configure(stocked)
    answer = stocked.alice.ask("!check-media", "Media:")
    assert "✅ Media: 11 rows, 11 files" in answer and "Every row has its file" in answer


def test_what_is_wrong_is_named_to_the_byte(stocked):
    world = stocked
    lost, cut = (world.synapse.local_media_file(media_id) for media_id in world.local[:2])
    kept = lost.read_bytes()
    lost.unlink()
    cut.write_bytes(cut.read_bytes()[:10])
    stray(world, "local_content/no/bo/dysfile", 70)
    stray(world, "remote_content/far.example/no/bo/dysfile", 30)
    stray(world, "url_cache/2026-01-02/abcdefgh", 5)
    stray(world, "local_content/be/in/guploaded", 9_000, age=5)
    world.synapse.sql(
        "INSERT INTO local_media_repository (media_id, media_type, media_length, created_ts, user_id) VALUES ('../../../etc/passwd', 'text/plain', 1, 1, '@carol:hs.test')"
    )
    answer = world.alice.ask("!check-media", "⚠ Media: 12 rows, 14 files")
    assert "2 rows without a file" in answer, "the lost one, and the one whose id leads out of the folder"
    assert "1 file of another size" in answer and "3 files without a row, 105 B" in answer, answer.body
    rows = world.steward.exec_json("check-media")
    assert sorted(row["kind"] for row in rows) == ["file of another size"] + ["file without a row"] * 3 + ["row without a file"] * 2
    assert f"mxc://hs.test/{world.local[0]}" in {row["what"] for row in rows}
    lost.write_bytes(kept)
    assert "1 row without a file" in world.alice.ask("!check-media", "⚠ Media"), "a file that is back is found"
    assert (world.synapse.media_path / "local_content/no/bo/dysfile").exists(), "it only reads"


def test_previews_stand_by_their_day(stocked):
    world = stocked
    world.synapse.sql(
        "INSERT INTO local_media_repository (media_id, media_type, media_length, created_ts, url_cache) VALUES ('2026-01-02_abcdefgh', 'image/png', 5, 1, 'https://x.example')"
    )
    assert "2 files without a row, 100 B" in world.alice.ask("!check-media", "⚠ Media: 13 rows")
