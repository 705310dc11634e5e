"""`sluice restore`: what it does, keeps, refuses and costs."""

import os
import shutil
import sqlite3
import subprocess
import time
import zipfile

import pytest

from harness import AS_ORDINARY_USER, run
from restoring import LOOKALIKES, MEASURE, backup, change, crashed, lookalikes, restore, rows, small, tree, word, words


def test_round_trip(house, tmp_path):
    application = sqlite3.connect(house / "events.db")
    application.execute("UPDATE account SET balance = 1 - balance")
    application.commit()
    assert (house / "events.db-wal").stat().st_size > 0
    archive = backup(house, tmp_path / "archive.zip")
    target = tmp_path / "target"
    target.mkdir()
    result = restore(archive, target)
    assert (result.returncode, result.stderr) == (0, "")
    restored = {str(path.relative_to(target)) for path in target.rglob("*") if path.is_file()}
    assert restored == set(zipfile.ZipFile(archive).namelist()) - {"VERSION", "MANIFEST.json"}
    for name in restored:
        if name.endswith(".db"):
            assert rows(target / name) == rows(house / name)
        else:
            assert (target / name).read_bytes() == (house / name).read_bytes()


def test_what_it_replaces_is_kept_with_its_log(archive, target):
    result = restore(archive, target, "--force")
    assert (result.returncode, result.stderr) == (0, "")
    assert not (target / "a.db-wal").exists() and not (target / "a.db-shm").exists()
    assert set(words(target).values()) == {"new"}
    [kept] = target.glob("a.db.before-restore-*Z")
    assert kept.with_name(kept.name + "-wal").exists()
    assert word(kept) == "old"
    assert not list(target.glob(".sluice*"))


def test_without_force_nothing_is_replaced(archive, target):
    before = tree(target)
    result = restore(archive, target)
    assert result.returncode == 1 and "--force" in result.stderr
    assert tree(target) == before


def test_a_dry_run_shows_the_plan_and_changes_nothing(archive, target):
    before = tree(target)
    result = restore(archive, target, "--dry-run")
    assert result.returncode == 0
    assert "replaces    b.db, kept as b.db.before-restore-" in result.stdout
    assert "moves       a.db-wal to a.db.before-restore-" in result.stdout
    assert tree(target) == before


def test_a_dry_run_refuses_what_a_restore_refuses(tmp_path):
    source = small(tmp_path / "source", "new")
    with sqlite3.connect(source / "a.db") as application:
        application.executescript("PRAGMA journal_mode=DELETE; CREATE TABLE u(x); INSERT INTO u VALUES (zeroblob(40000))")
    application.close()
    with (source / "a.db").open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 4096)
    archive = backup(source, tmp_path / "archive.zip")
    (tmp_path / "target").mkdir()
    tried = [restore(archive, tmp_path / "target", *options) for options in (("--dry-run",), ())]
    assert [result.returncode for result in tried] == [1, 1]
    assert tried[0].stderr == tried[1].stderr and "a.db" in tried[0].stderr
    assert not list((tmp_path / "target").iterdir())


def test_only(archive, tmp_path):
    target = tmp_path / "target"
    target.mkdir()
    assert restore(archive, target, "--only", "b.db", "--only", "floor_plan/", "--only", "VERSION").returncode == 0
    assert {path.name for path in target.rglob("*") if path.is_file()} == {"b.db", "plan.json", "VERSION"}
    result = restore(archive, target, "--only", "nothing.db")
    assert result.returncode == 1 and "nothing.db" in result.stderr


@pytest.mark.parametrize("name", ["a.db", "b.db"])
@pytest.mark.parametrize("state", ["idle", "reading"])
def test_a_database_that_is_open_is_not_replaced(archive, target, name, state):
    connection = sqlite3.connect(target / name, isolation_level=None)
    connection.execute("SELECT * FROM t").fetchone()
    if state == "reading":
        connection.execute("BEGIN")
        connection.execute("SELECT * FROM t").fetchall()
    before = tree(target)
    result = restore(archive, target, "--force")
    assert result.returncode == 1
    assert name in result.stderr and f"process {os.getpid()} (" in result.stderr
    assert tree(target) == before
    connection.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may make a namespace")
@pytest.mark.parametrize(("name", "reads"), [("a.db", False), ("a.db", True), ("b.db", True)])
def test_a_database_that_an_unseen_process_has_locked_is_not_replaced(archive, target, name, reads):
    connection = sqlite3.connect(target / name, isolation_level=None)
    connection.execute("SELECT * FROM t").fetchone()
    if reads:
        connection.execute("BEGIN")
        connection.execute("SELECT * FROM t").fetchall()
    # To read the files here would release this process's locks.
    before = {path: path.lstat().st_ino for path in target.rglob("*")}
    result = restore(archive, target, "--force", prefix=["unshare", "--pid", "--fork", "--mount-proc"])
    assert result.returncode == 1 and f"{name} is locked by a process that cannot be seen" in result.stderr
    assert {path: path.lstat().st_ino for path in target.rglob("*")} == before
    connection.close()


def test_files_that_their_owner_may_not_write_are_replaced(archive, target):
    """To give a file another name, no permission on the file itself is needed."""
    (target / "a.db").chmod(0o444)
    (target / "floor_plan/plan.json").chmod(0o000)
    result = restore(archive, target, "--force", prefix=AS_ORDINARY_USER)
    assert (result.returncode, result.stderr) == (0, "")
    assert set(words(target).values()) == {"new"}


@pytest.mark.parametrize("name", ["a.db", "b.db"])
def test_a_database_that_its_owner_may_not_write_is_not_replaced_while_it_is_read(archive, target, name):
    connection = sqlite3.connect(target / name, isolation_level=None)
    connection.execute("BEGIN")
    connection.execute("SELECT * FROM t").fetchall()
    (target / name).chmod(0o444)
    unseen = ["unshare", "--pid", "--fork", "--mount-proc"] if os.geteuid() == 0 else []
    for options in (["--force"], ["--dry-run"]):
        result = restore(archive, target, *options, prefix=[*unseen, *AS_ORDINARY_USER])
        assert result.returncode == 1 and f"{name} is locked by a process" in result.stderr
    connection.close()


def locks(arguments, trace):
    """The locks that sluice sets on SQLite's bytes meanwhile."""
    # LeakSanitizer does not work under strace.
    prefix = ["strace", "-f", "-qq", "-o", trace, "-e", "trace=fcntl", "-E", "ASAN_OPTIONS=detect_leaks=0"]
    result = run(*arguments, prefix=prefix)
    return result.returncode, sum("F_OFD_SETLK," in line and "l_start=1073741824" in line for line in trace.read_text().splitlines())


def test_nothing_is_locked_before_it_is_replaced(archive, target, tmp_path):
    """A commit of the application's would fail meanwhile."""
    arguments = ["restore", archive, "--into", target]
    assert locks([*arguments, "--dry-run"], tmp_path / "trace") == (0, 0)
    connection = sqlite3.connect(target / "b.db")
    connection.execute("SELECT * FROM t").fetchone()
    assert locks([*arguments, "--force"], tmp_path / "trace") == (1, 0)
    connection.close()
    assert locks([*arguments, "--force"], tmp_path / "trace") == (0, 4)


def test_folders_that_only_look_the_same_stay_apart(tmp_path):
    source, target = small(tmp_path / "source", "new"), tmp_path / "target"
    for folder in ("\u00e9", "e\u0301"):
        (source / "floor_plan" / folder).mkdir()
        (source / "floor_plan" / folder / f"{len(folder)}.txt").write_text(folder)
    target.mkdir()
    assert restore(backup(source, tmp_path / "x.zip"), target).returncode == 0
    assert tree(target / "floor_plan") == tree(source / "floor_plan")


@pytest.fixture
def apart(tmp_path):
    """A directory, an archive of it and an empty directory: names that look the same."""
    for name in ("source", "target"):
        (tmp_path / name).mkdir()
    return lookalikes(tmp_path / "source"), backup(tmp_path / "source", tmp_path / "x.zip"), tmp_path / "target"


def test_names_that_look_the_same_stay_apart(apart):
    source, archive, target = apart
    for again in ([], ["--force"]):
        assert restore(archive, target, *again).returncode == 0
        for name in LOOKALIKES:
            assert (target / name).read_bytes() == zipfile.ZipFile(archive).read(name)
            assert rows(target / name) == rows(source / name)
    kept = [path.name for path in target.glob("*.before-restore-*Z")]
    assert sorted(name.partition(".before")[0] for name in kept) == sorted(LOOKALIKES)


@pytest.mark.parametrize("name", LOOKALIKES, ids=ascii)
def test_only_takes_one_of_those_that_look_the_same(apart, name):
    source, archive, target = apart
    assert restore(archive, target, "--only", name).returncode == 0
    assert os.listdir(target) == [name]
    assert rows(target / name) == rows(source / name)


def test_names_that_differ_in_case_are_files_of_their_own(tmp_path):
    names = ("k.db", "K.db", "\u212a.db")
    for name in ("source", "target"):
        (tmp_path / name).mkdir()
    archive = backup(lookalikes(tmp_path / "source", names), tmp_path / "x.zip")
    assert restore(archive, tmp_path / "target").returncode == 0
    assert {name: rows(tmp_path / "target" / name) for name in names} == {
        name: rows(tmp_path / "source" / name) for name in names
    }


def test_a_plain_file_with_a_database_name_may_have_the_longest(tmp_path):
    """SQLite writes no journal beside what is no database."""
    (tmp_path / "source").mkdir(), (tmp_path / "target").mkdir()
    lookalikes(tmp_path / "source", ["a.db"])
    (tmp_path / "source" / (name := "x" * 252 + ".db")).write_bytes(b"plain")
    archive = backup(tmp_path / "source", tmp_path / "x.zip")
    assert restore(archive, tmp_path / "target").returncode == 0
    assert (tmp_path / "target" / name).read_bytes() == b"plain"


@pytest.fixture(params=["\u56f3" * 75 + ".svg", "x" * 255], ids=["CJK", "longest"])
def long_name(request, tmp_path):
    """A name that is none any more with what a kept file's ends in, and an archive that has it."""
    source = small(tmp_path / "source", "new")
    (source / "floor_plan" / request.param).write_text("new")
    return request.param, backup(source, tmp_path / "long.zip")


def test_a_long_name_is_restored(long_name, target, tmp_path):
    name, archive = long_name
    assert restore(archive, target, "--force", "--dry-run").returncode == 0
    result = restore(archive, target, "--force")
    assert (result.returncode, result.stderr) == (0, "")
    assert set(words(target).values()) == {"new"} and (target / "floor_plan" / name).read_text() == "new"
    assert not list(target.glob(".sluice*"))


def test_a_name_too_long_to_be_kept_is_refused_first(long_name, target):
    name, archive = long_name
    (target / "floor_plan" / name).write_text("old")
    before = tree(target)
    for option in ("--dry-run", "--force"):
        result = restore(archive, target, option)
        assert result.returncode == 1 and len(result.stderr.splitlines()) == 1
        assert f"floor_plan/{name} would be replaced and cannot be kept" in result.stderr
        assert "rename what is there first" in result.stderr and "--only" in result.stderr
        assert tree(target) == before
    # Both ways around it.
    assert restore(archive, target, "--force", "--only", "a.db", "--only", "floor_plan/plan.json").returncode == 0
    assert (word(target / "a.db"), word(target / "floor_plan/plan.json")) == ("new", "new")
    (target / "floor_plan" / name).rename(target / "floor_plan/old")
    assert restore(archive, target, "--only", f"floor_plan/{name}").returncode == 0
    assert (target / "floor_plan" / name).read_text() == "new" and (target / "floor_plan/old").read_text() == "old"


def test_a_database_too_long_for_a_journal_is_refused_first(target, tmp_path):
    source, name = small(tmp_path / "source", "new"), "x" * 252 + ".db"
    shutil.copy(source / "b.db", source / "short.db")
    archive, before = tmp_path / "long.zip", tree(target)
    # A backup would skip it: this archive is from a file system with longer names.
    with zipfile.ZipFile(backup(source, tmp_path / "x.zip")) as made, zipfile.ZipFile(archive, "w") as renamed:
        for entry in made.namelist():
            content = made.read(entry)
            if entry == "MANIFEST.json":
                content = content.replace(b'"short.db"', f'"{name}"'.encode())
            renamed.writestr(name if entry == "short.db" else entry, content)
    for option in ("--dry-run", "--force"):
        result = restore(archive, target, option)
        assert result.returncode == 1 and f"{name} cannot be restored: with -journal" in result.stderr
        assert tree(target) == before
    only = [part for name in words(target) for part in ("--only", name)]
    assert restore(archive, target, "--force", *only).returncode == 0
    assert set(words(target).values()) == {"new"}


def test_more_folders_than_descriptors(tmp_path):
    source, target = small(tmp_path / "source", "new"), tmp_path / "target"
    for number in range(100):
        (source / f"floor_plan/{number}").mkdir()
        (source / f"floor_plan/{number}/file").touch()
    target.mkdir()
    archive = backup(source, tmp_path / "x.zip")
    assert restore(archive, target, prefix=["prlimit", "--nofile=40"]).returncode == 0
    assert tree(target / "floor_plan") == tree(source / "floor_plan")


def test_an_incomplete_archive_is_status_3(tmp_path):
    source = small(tmp_path / "source", "new")
    (source / "link.db").symlink_to("a.db")
    assert run("backup", "--data", source, "-o", tmp_path / "x.zip").returncode == 3
    (tmp_path / "target").mkdir()
    result = restore(tmp_path / "x.zip", tmp_path / "target")
    assert result.returncode == 3 and "link.db" in result.stderr
    assert set(words(tmp_path / "target").values()) == {"new"}


def test_owner_and_mode_follow_the_directory(archive, tmp_path):
    target = tmp_path / "target"
    target.mkdir()
    target.chmod(0o750)
    if os.geteuid() == 0:
        os.chown(target, 1234, 2345)
    assert restore(archive, target, umask=0o777).returncode == 0
    status = target.stat()
    for path in target.rglob("*"):
        assert (path.stat().st_uid, path.stat().st_gid) == (status.st_uid, status.st_gid)
        assert path.stat().st_mode & 0o777 == (0o750 if path.is_dir() else 0o640)


@pytest.mark.measures
def test_memory_and_speed(large_archive, tmp_path, figure):
    (tmp_path / "unzipped").mkdir()
    start = time.perf_counter()
    subprocess.run(["unzip", "-q", large_archive, "-d", tmp_path / "unzipped"], check=True)
    unzip = time.perf_counter() - start
    shutil.rmtree(tmp_path / "unzipped")
    (tmp_path / "target").mkdir()
    start = time.perf_counter()
    result = restore(large_archive, tmp_path / "target", prefix=["/usr/bin/python3", "-c", MEASURE])
    seconds = time.perf_counter() - start
    assert result.returncode == 0
    figure("restore of 600 MB", f"{seconds:.1f} s (unzip {unzip:.1f} s), {result.stdout.split()[-1]} MiB")
    assert int(result.stdout.split()[-1]) <= 48


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_what_replaces_a_file_gets_its_owner_and_mode(archive, target):
    os.chown(target / "b.db", 1234, 2345)
    (target / "b.db").chmod(0o606)
    (target / "floor_plan/plan.json").chmod(0)
    os.chown(target / "floor_plan/plan.json", 0, 77)
    assert restore(archive, target, "--force").returncode == 0
    for name, expected in {"b.db": (1234, 2345, 0o606), "floor_plan/plan.json": (0, 77, 0)}.items():
        status = (target / name).stat()
        assert (status.st_uid, status.st_gid, status.st_mode & 0o7777) == expected
        [kept] = (target / name).parent.glob(f"{(target / name).name}.before-restore-*Z")
        assert kept.stat().st_mode == status.st_mode
    (target / "floor_plan/plan.json").chmod(0o600)
    assert set(words(target).values()) == {"new"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may read it")
def test_a_mode_of_zero_stays(tmp_path):
    source = small(tmp_path / "source", "new")
    (source / "floor_plan/plan.json").chmod(0)
    (tmp_path / "target").mkdir()
    assert restore(backup(source, tmp_path / "x.zip"), tmp_path / "target").returncode == 0
    assert (tmp_path / "target/floor_plan/plan.json").stat().st_mode & 0o777 == 0


def test_new_folders_keep_the_set_group_id_bit(tmp_path):
    source = small(tmp_path / "source", "new")
    (source / "floor_plan/upper").mkdir()
    (source / "floor_plan/upper/file").touch()
    target = tmp_path / "target"
    target.mkdir()
    target.chmod(0o2750)
    assert restore(backup(source, tmp_path / "x.zip"), target).returncode == 0
    for folder in ("floor_plan", "floor_plan/upper"):
        assert (target / folder).stat().st_mode & 0o7777 == 0o2750
    assert (target / "a.db").stat().st_mode & 0o7000 == 0


def test_names_that_are_taken_are_not_given_to_what_is_kept(archive, target):
    """As by another restore within the same second."""
    taken = [time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(time.time() + seconds)) for seconds in range(60)]
    for moment in taken:
        (target / f"b.db.before-restore-{moment}").write_text(moment)
    result = restore(archive, target, "--force")
    assert (result.returncode, result.stderr) == (0, "")
    assert set(words(target).values()) == {"new"}
    kept = {path.name.rpartition("-")[2] for path in target.glob("b.db.before-restore-*Z")} - {*taken}
    assert len(kept) == 1 and word(target / f"b.db.before-restore-{kept.pop()}") == "old"
    assert all((target / f"b.db.before-restore-{moment}").read_text() == moment for moment in taken)


def test_two_restores_at_once_after_each_other(archive, target):
    for number in range(1, 4):
        assert restore(archive, target, "--force").returncode == 0
        assert len(list(target.glob("b.db.before-restore-*Z"))) == number


def test_a_success_tells_what_it_did_and_how_to_delete_what_is_kept(archive, target):
    (target / "b.db.before-restore-20200101T000000Z").touch()
    result = restore(archive, target, "--force")
    lines = result.stdout.splitlines()
    assert any(line.startswith("replaces    b.db, kept as b.db.before-restore-") for line in lines)
    assert lines[-2].startswith(f"restored {len(words(target))} files into {target}; ")
    assert f"{len(list(target.rglob('*.before-restore-*'))) - 1} files are kept" in lines[-2]
    subprocess.run(lines[-1], shell=True, check=True)
    assert [path.name for path in target.rglob("*.before-restore-*")] == ["b.db.before-restore-20200101T000000Z"]
    assert set(words(target).values()) == {"new"}


def test_one_file_is_counted_in_the_singular(archive, target):
    lines = restore(archive, target, "--force", "--only", "b.db").stdout.splitlines()
    assert lines[-2].startswith(f"restored 1 file into {target}; 1 file is kept.")


def test_a_dry_run_tells_that_force_is_needed(archive, target, tmp_path):
    assert "needs --force" in restore(archive, target, "--dry-run").stdout.splitlines()[-1]
    assert "--force" not in restore(archive, target, "--dry-run", "--force").stdout
    (tmp_path / "empty").mkdir()
    assert "--force" not in restore(archive, tmp_path / "empty", "--dry-run").stdout


def test_a_step_that_fails_names_its_file(archive, target):
    before = tree(target)
    # a.db has a -wal and a -shm.
    strace = ["strace", "-f", "-o", "/dev/null", "-e", "trace=linkat", "-e", "inject=linkat:error=ENOSPC:when=4"]
    strace += ["-E", "ASAN_OPTIONS=detect_leaks=0"]  # LeakSanitizer does not work under strace.
    result = restore(archive, target, "--force", prefix=strace)
    assert result.returncode == 1 and "b.db could not be put in place: No space left" in result.stderr, result.stderr
    assert "everything is as it was" in result.stderr
    assert tree(target) == before


@pytest.mark.parametrize("mounted", [".", "deep", "deep/er"])
def test_a_transaction_over_several_folders_is_found_by_another_path(tmp_path, mounted):
    """The application in a container, which knows the directory or a folder of it by a path that is not here."""
    names = ["deep/er/one/main.db", "deep/er/two/attached.db"]
    inside = [os.path.relpath(name, mounted) for name in names]
    for directory in (tmp_path / "source", tmp_path / "target"):
        for name in names:
            (directory / name).parent.mkdir(parents=True)
            change(directory / name, "CREATE TABLE t (word TEXT); WITH c(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM c WHERE n < 200) INSERT INTO t SELECT 'new' FROM c")
    # A file where the application's path has a folder.
    (tmp_path / "target" / "app").write_text("")
    included = ("--include", "deep/er/one", "--include", "deep/er/two")
    assert run("backup", "--data", tmp_path / "source", *included, "-o", tmp_path / "app.zip").returncode == 0
    (tmp_path / "app").symlink_to(tmp_path / "target" / mounted)
    crashed(tmp_path / "app", inside)
    (tmp_path / "app").unlink()
    before = tree(tmp_path / "target")
    result = restore(tmp_path / "app.zip", tmp_path / "target", "--force", "--only", "deep/er/two/attached.db")
    assert result.returncode == 1 and "is part of a transaction over several databases" in result.stderr, result.stderr
    assert tree(tmp_path / "target") == before


def test_a_transaction_over_several_databases_is_not_torn_apart(archive, target):
    crashed(target, ["b.db", "c.db"])
    before = tree(target)
    for options in (["--force"], ["--force", "--dry-run"], ["--force", "--only", "b.db"]):
        result = restore(archive, target, *options)
        assert result.returncode == 1 and len(result.stderr.splitlines()) == 1
        assert "b.db is part of a transaction over several databases that was cut off (b.db-mj0123ABCD9EF)" in result.stderr
        assert tree(target) == before
    # Neither of them in this transaction.
    assert restore(archive, target, "--force", "--only", "a.db").returncode == 0
    assert (word(target / "b.db"), word(target / "c.db")) == ("old", "old")
    assert not (target / "b.db-mj0123ABCD9EF").exists()
    assert restore(archive, target, "--force").returncode == 0
    assert set(words(target).values()) == {"new"}


def test_a_journal_of_one_database_is_kept_beside_it(archive, target):
    script = """
import os, sqlite3
connection = sqlite3.connect("b.db", isolation_level=None)
connection.execute("PRAGMA cache_size=1")
connection.execute("BEGIN")
connection.execute("UPDATE t SET word = word || randomblob(4000)")
os.kill(os.getpid(), 9)
"""
    subprocess.run(["/usr/bin/python3", "-c", script], cwd=target)
    assert (target / "b.db-journal").stat().st_size > 0
    assert restore(archive, target, "--force").returncode == 0
    assert set(words(target).values()) == {"new"}
    [kept] = target.glob("b.db.before-restore-*Z")
    assert word(kept) == "old"
