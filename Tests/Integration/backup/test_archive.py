"""What is in an archive, in which order, and what it says of itself."""

import os
import re
import sqlite3
import subprocess
import time
from datetime import datetime, timedelta, timezone

import pytest

import data as make
from archive import Archive
from harness import run, serve


def test_the_layout_is_that_of_the_replaced_endpoint_plus_a_manifest(house):
    with serve(house, "--app-version", "v1.2.3 (abc)") as server:
        archive = Archive(server.get("/api/backup").body)
    assert archive.names == [
        "Zones of the house.db", "analytics.db", "baseline.db", "events.db",
        "floor_plan/empty.txt", "floor_plan/plan.json", "floor_plan/upper floor/étage.svg",
        "VERSION", "MANIFEST.json",
    ]  # fmt: skip
    assert archive.read("VERSION") == b"v1.2.3 (abc)\n"
    assert archive.read("floor_plan/plan.json") == (house / "floor_plan/plan.json").read_bytes()
    assert archive.read("floor_plan/upper floor/étage.svg") == b"<svg/>" * 10_000
    assert archive.manifest["complete"]


def test_the_manifest_tells_what_each_entry_is(house):
    with serve(house, "--name", "home", "--app-version", "7") as server:
        archive = Archive(server.get("/api/backup").body)
    manifest = archive.manifest
    assert (manifest["name"], manifest["app_version"]) == ("home", "7")
    assert {name: entry["kind"] for name, entry in archive.entries.items() if name.endswith(".db")} == {
        "Zones of the house.db": "database", "analytics.db": "database",
        "baseline.db": "database", "events.db": "database",
    }  # fmt: skip
    assert archive.entries["VERSION"]["kind"] == archive.entries["floor_plan/plan.json"]["kind"] == "file"
    events, analytics = archive.entries["events.db"]["database"], archive.entries["analytics.db"]["database"]
    assert (events["journal_mode"], events["method"]) == ("wal", "pinned")
    assert (analytics["journal_mode"], analytics["method"]) == ("delete", "copied")
    created = datetime.fromisoformat(manifest["created"])
    taken = [datetime.fromisoformat(e["database"]["taken_at"]) for e in archive.entries.values() if "database" in e]
    assert abs(datetime.now(timezone.utc) - created) < timedelta(minutes=1)
    assert all(abs(at - created) < timedelta(minutes=1) for at in taken)
    # Both are rounded to milliseconds at the most.
    assert abs((max(taken) - min(taken)) / timedelta(milliseconds=1) - manifest["snapshot_skew_ms"]) <= 2


def test_the_copies_hold_what_the_databases_hold(house):
    with serve(house) as server:
        archive = Archive(server.get("/api/backup").body)
    for name in ("events.db", "analytics.db", "baseline.db", "Zones of the house.db"):
        original = sqlite3.connect(house / name)
        with archive.database(name) as copy:
            assert list(copy.iterdump()) == list(original.iterdump())
        original.close()


def test_both_spellings_of_the_floor_plan_are_taken(tmp_path):
    for name in ("floor_plan", "floorplan"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "plan.svg").write_text(name)
    with serve(tmp_path) as server:
        archive = Archive(server.get("/api/backup").body)
    assert archive.names == ["floor_plan/plan.svg", "floorplan/plan.svg", "VERSION", "MANIFEST.json"]


def test_include_names_other_files_and_directories(house):
    with serve(house, "--include", "notes.txt", "--include", "subdirectory") as server:
        archive = Archive(server.get("/api/backup").body)
    floor_plan = ["floor_plan/empty.txt", "floor_plan/plan.json", "floor_plan/upper floor/étage.svg"]
    assert archive.names[4:] == [*floor_plan, "notes.txt", "subdirectory/inner.db", "VERSION", "MANIFEST.json"]
    # A database is a database wherever it is, and never read as a plain file.
    assert archive.entries["subdirectory/inner.db"]["kind"] == "database"


@pytest.mark.parametrize("form", ["subdirectory/", "./subdirectory", "./subdirectory//", "{data}/subdirectory/"])
def test_an_included_path_is_understood_as_a_shell_completes_it(house, tmp_path, form):
    (tmp_path / "link").symlink_to(house)
    for data in (house, tmp_path / "link", os.path.relpath(house, tmp_path)):
        archive = tmp_path / "a.zip"
        given = form.format(data=house if data != tmp_path / "link" else data)
        ended = run("backup", "--data", data, "--include", given, "-o", archive, cwd=tmp_path)
        assert ended.returncode == 0, ended.stderr
        assert {"floor_plan/plan.json", "subdirectory/inner.db"} <= set(Archive(archive).names)


def test_what_is_included_if_present_may_be_missing(house, tmp_path):
    options = ["--include-if-present", "subdirectory", "--include-if-present", "nothing"]
    assert run("backup", "--data", house, *options, "-o", tmp_path / "a.zip").returncode == 0
    archive = Archive(tmp_path / "a.zip")
    assert "subdirectory/inner.db" in archive.names and archive.skipped == {}


EXCLUDED = [
    # A folder, by its last name and by its path; with a slash, as a shell completes it.
    (["floor_plan"], ["floor_plan"], ["floor_plan/plan.json", "floor_plan/upper floor/étage.svg"]),
    (["upper floor/"], ["floor_plan/upper floor"], ["floor_plan/upper floor/étage.svg"]),
    (["floor_plan/upper*"], ["floor_plan/upper floor"], ["floor_plan/upper floor/étage.svg"]),
    # `*` matches no slash, `?` a byte.
    (["floor*json"], [], []),
    (["?tage.svg"], [], []),
    (["??tage.svg"], ["floor_plan/upper floor/étage.svg"], ["floor_plan/upper floor/étage.svg"]),
    (["*.json", "[d-f]*.db"], ["events.db", "floor_plan/plan.json"], ["events.db", "floor_plan/plan.json"]),
    # It holds against an include, in a folder too, and takes a database's log with it.
    (["inner.db"], ["subdirectory/inner.db"], ["subdirectory/inner.db"]),
    (["subdirectory"], ["subdirectory"], ["subdirectory/inner.db"]),
]


@pytest.mark.parametrize(("patterns", "excluded", "absent"), EXCLUDED, ids=[str(each[0]) for each in EXCLUDED])
def test_what_is_excluded_is_left_out_and_listed(house, patterns, excluded, absent):
    (house / "subdirectory/inner.db-wal").touch()
    options = [part for pattern in patterns for part in ("--exclude", pattern)]
    includes = ["--include", "subdirectory", "--include", "subdirectory/inner.db"]
    if patterns == ["subdirectory"]:
        includes = includes[:2]
    ended = run("backup", "--strict", "--data", house, *includes, *options, "-o", "-", text=False)
    assert ended.returncode == 0, ended.stderr
    archive = Archive(ended.stdout)
    everything = {"events.db", "floor_plan/plan.json", "floor_plan/upper floor/étage.svg", "subdirectory/inner.db"}
    assert set(absent) == everything - set(archive.names)
    assert set(archive.manifest["excluded"]) == set(excluded) and archive.manifest["complete"]


def test_a_folder_that_is_called_a_database_costs_nothing_once_it_is_excluded(house):
    (house / "blockstore.db").mkdir()
    with serve(house) as server:
        assert server.get("/api/backup?strict=1").status == 503
    with serve(house, "--exclude", "blockstore.db") as server:
        archive = Archive(server.get("/api/backup?strict=1").body)
        tag = server.get("/api/backup").headers["ETag"]
        assert server.get("/api/backup?db=blockstore.db").status == 404
    assert archive.manifest["excluded"] == ["blockstore.db"]
    (house / "blockstore.db").rmdir()
    with serve(house, "--exclude", "blockstore.db") as server:
        assert server.get("/api/backup", If_None_Match=tag).status == 200


LEFTOVERS = ["plan.json.before-restore-20260131T235959Z", ".sluice-0123abcd.partial", ".sluice-restore-x/a", ".sluice-pull.a1B2c3/zip"]


def test_what_this_program_leaves_behind_is_excluded_by_itself(house):
    for name in LEFTOVERS:
        (house / "floor_plan" / name).parent.mkdir(exist_ok=True)
        (house / "floor_plan" / name).write_text("left behind")
    with serve(house) as server:
        archive = Archive(server.get("/api/backup").body)
    expected = sorted("floor_plan/" + name.partition("/")[0] for name in LEFTOVERS)
    assert sorted(archive.manifest["excluded"]) == expected and archive.manifest["complete"]
    assert not [name for name in archive.names if "sluice" in name or "before" in name]
    # Unless one is asked for by its own name.
    with serve(house, "--include", f"floor_plan/{LEFTOVERS[0]}") as server:
        assert f"floor_plan/{LEFTOVERS[0]}" in Archive(server.get("/api/backup").body).names


def test_an_included_database_can_be_taken_alone(house, tmp_path):
    included = ["--include", "subdirectory"]
    (house / "subdirectory/plain.txt").write_text("no database")
    with serve(house, *included) as server:
        for query, status in [("subdirectory%2Finner.db", 200), ("subdirectory/inner.db&db=events.db", 200),
                              ("subdirectory/plain.txt", 404), ("subdirectory/", 400), ("subdirectory/none.db", 404)]:  # fmt: skip
            answer = server.get(f"/api/backup?db={query}")
            assert answer.status == status, query
            if status == 200:
                names = ["events.db"] * ("events" in query) + ["subdirectory/inner.db", "VERSION", "MANIFEST.json"]
                assert Archive(answer.body).names == names
    for given in ("subdirectory/inner.db", f"{house}/subdirectory/inner.db", "./subdirectory/inner.db"):
        ended = run("backup", "--data", house, *included, "--db", given, "-o", "-", text=False)
        assert Archive(ended.stdout).names == ["subdirectory/inner.db", "VERSION", "MANIFEST.json"], ended.stderr
    # What a backup does not take cannot be asked for either.
    ended = run("backup", "--data", house, "--db", "subdirectory/inner.db", "-o", "-", text=False)
    assert ended.returncode == 1 and b"subdirectory/inner.db" in ended.stderr
    assert run("backup", "--data", house, "--db", "../x.db", "-o", "-").returncode == 64


def test_an_included_path_that_is_not_there_is_named_as_skipped(house):
    with serve(house, "--include", "floor_plan", "--include", "models") as server:
        answer = server.get("/api/backup")
    assert "models;reason=missing" in answer.headers["Sluice-Skipped"]
    assert Archive(answer.body).skipped["models"]["reason"] == "missing"


def test_a_file_included_twice_is_there_once(house):
    paths = ("floor_plan", "floor_plan/plan.json", "events.db")
    with serve(house, *(part for path in paths for part in ("--include", path))) as server:
        answer = server.get("/api/backup")
    archive = Archive(answer.body)
    assert archive.names.count("floor_plan/plan.json") == archive.names.count("events.db") == 1


@pytest.mark.parametrize("name", ["MANIFEST.json", "VERSION"])
def test_a_file_of_the_applications_own_cannot_take_the_place_of_ours(tmp_path, name):
    ended = run("serve", "--data", tmp_path, "--include", name)
    assert ended.returncode == 64 and f"--include {name}" in ended.stderr and ended.stderr.count("\n") == 1


def test_an_entry_keeps_its_files_mode_and_time(house):
    file = house / "floor_plan/plan.json"
    file.chmod(0o640)
    with serve(house) as server:
        archive = Archive(server.get("/api/backup").body)
    info = archive.zip.getinfo("floor_plan/plan.json")
    assert info.create_system == 3 and info.external_attr >> 16 & 0o777 == 0o640
    modified = datetime.fromisoformat(archive.entries["floor_plan/plan.json"]["modified"])
    assert int(modified.timestamp()) == int(file.stat().st_mtime)
    # Info-ZIP's extended timestamp, id 0x5455: flags, then seconds since 1970.
    extra = info.extra
    assert extra[:2] == b"UT" and extra[4] & 1
    assert int.from_bytes(extra[5:9], "little") == int(file.stat().st_mtime)


@pytest.mark.parametrize("compression", ["store", "fast", "default", "best"])
def test_every_level_of_compression_holds_the_same(house, compression):
    with serve(house) as server:
        answer = server.get(f"/api/backup?compression={compression}")
    archive = Archive(answer.body)
    assert archive.manifest["complete"]
    size = sum(entry["size"] for entry in archive.manifest["entries"])
    if compression == "store":
        assert len(answer.body) > size
        assert all(offset % 4096 == 0 for offset in archive.data_offsets)
        assert int(answer.headers["Content-Length"]) == len(answer.body)
    else:
        assert len(answer.body) < 0.9 * size
        assert not all(offset % 4096 == 0 for offset in archive.data_offsets)
        assert answer.headers["Transfer-Encoding"] == "chunked"


def test_the_option_sets_the_compression_that_is_used_unless_asked_otherwise(house):
    with serve(house, "--compression", "store") as server:
        stored, best = server.get("/api/backup"), server.get("/api/backup?compression=best")
    assert "Content-Length" in stored.headers
    assert len(best.body) < len(stored.body)


@pytest.mark.parametrize("journal_mode", [make.WAL, make.ROLLBACK])
def test_every_page_size_is_taken(tmp_path, journal_mode):
    sizes = [512 << shift for shift in range(8)]
    for size in sizes:
        make.ledger(tmp_path / f"{size:05}.db", journal_mode, page_size=size, accounts=200)
    with serve(tmp_path) as server:
        archive = Archive(server.get("/api/backup").body)
    assert [archive.entries[f"{size:05}.db"]["database"]["page_size"] for size in sizes] == sizes
    for size in sizes:
        with archive.database(f"{size:05}.db") as copy:
            assert make.is_conserved(copy)


def test_pages_that_are_in_the_log_alone_are_taken(tmp_path):
    application = make.bulk(tmp_path / "log.db", make.WAL, 16, open=True)
    assert (tmp_path / "log.db").stat().st_size <= 4096
    with serve(tmp_path) as server:
        archive = Archive(server.get("/api/backup").body)
    with archive.database("log.db") as copy:
        assert copy.execute("SELECT count(*), sum(length(content)) FROM record").fetchone() == (512, 16 << 20)
    application.close()


def test_the_file_name_has_the_name_and_the_date_in_utc(house):
    with serve(house, "--name", "home-7", env={"TZ": "Pacific/Kiritimati"}) as server:
        before = time.strftime("%Y-%m-%d", time.gmtime())
        disposition = server.get("/api/backup").headers["Content-Disposition"]
        after = time.strftime("%Y-%m-%d", time.gmtime())
    date = re.fullmatch(r'attachment; filename="home-7-backup-(\d{4}-\d\d-\d\d)\.zip"', disposition)[1]
    assert date in (before, after)


def test_curl_saves_it_under_that_name(house, tmp_path):
    with serve(house) as server:
        subprocess.run(["curl", "-fsSOJ", f"{server.url}/api/backup"], cwd=tmp_path, check=True)
    [file] = tmp_path.glob("house-backup-????-??-??.zip")
    assert Archive(file).manifest["complete"]
