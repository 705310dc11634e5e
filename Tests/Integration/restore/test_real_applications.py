"""Data directories of real applications: backed up, verified, restored, and opened by the application or its library."""

import json
import sqlite3
import subprocess
import zipfile
from contextlib import closing
from itertools import count

import pytest

import data as make
from harness import run, wait_until
from pypi import installed
from restoring import restore

# The libraries of applications, at versions that are known to be there.
PACKAGES = ["anki==26.9.3", "Django==5.2.19"]


@pytest.fixture(scope="session")
def library():
    """Runs a Python script where the packages are installed; what it prints, from JSON."""

    def execute(script, *arguments, cwd):
        command = [execute.python, "-c", script, *arguments]
        result = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60)
        assert result.returncode == 0, result.stderr
        return json.loads(result.stdout.splitlines()[-1])

    execute.python = installed("applications", PACKAGES)
    return execute


def back_up_and_restore(tmp_path, data, *options):
    """Each command succeeds, and nothing is missing; the directory restored into."""
    archive, out = tmp_path / "archive.zip", tmp_path / "out"
    made = run("backup", "--data", data, "-o", archive, *options)
    assert made.returncode == 0, made.stderr
    verified = run("verify", archive)
    assert verified.returncode == 0 and "DAMAGED" not in verified.stdout, verified.stdout
    out.mkdir()
    restored = restore(archive, out)
    assert restored.returncode == 0, restored.stderr
    with zipfile.ZipFile(archive) as zip:
        assert json.loads(zip.read("MANIFEST.json"))["complete"]
        files = set(zip.namelist()) - {"MANIFEST.json", "VERSION"}
    assert {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()} == files
    return out, files


def same_bytes(directory, other, files):
    return all((directory / name).read_bytes() == (other / name).read_bytes() for name in files)


# Anki: a collation of its own, `unicase`, in columns and indexes; names of databases that no pattern knows.

ANKI = """
import json, sys
from anki.collection import Collection
collection = Collection("collection.anki2")
if sys.argv[1] == "fill":
    basic = collection.models.by_name("Basic")
    for index in range(200):
        note = collection.new_note(basic)
        note["Front"], note["Back"], note.tags = f"W\\u00f6rd {index}", f"back {index}", [f"tag{index % 3}", "\\u00dcn\\u00ef"]
        collection.add_note(note, collection.decks.id(f"Deck {index % 4}"))
    open("picture.png", "wb").write(bytes(range(256)))
    collection.media.add_file("picture.png")
elif sys.argv[1] == "hold":
    print("open", flush=True)
    sys.stdin.read()
else:
    assert collection.fix_integrity()[1], collection.fix_integrity()
    assert collection.find_notes('"front:w\\u00f6rd 17"') and collection.media.check().missing == []
tables = collection.db.list("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name")
rows = {name: sorted(map(repr, collection.db.all(f"SELECT * FROM {name}"))) for name in tables}
collection.close()
print(json.dumps(rows))
"""


def test_a_collection_of_anki(library, tmp_path):
    (data := tmp_path / "User 1").mkdir()
    rows = library(ANKI, "fill", cwd=data)
    assert len(rows["notes"]) == 200 and "decks" in rows
    with closing(sqlite3.connect(data / "collection.anki2")) as connection:
        with pytest.raises(sqlite3.OperationalError, match="unicase"):
            connection.execute("PRAGMA integrity_check")
    out, files = back_up_and_restore(tmp_path, data, "--include", "collection.media/")
    assert files == {"collection.anki2", "collection.media.db2", "collection.media/picture.png"}
    assert same_bytes(data, out, files)
    restored = library(ANKI, "check", cwd=out)
    # Where Anki itself notes when it looked: col and config.
    assert {name: rows[name] for name in rows if name not in ("col", "config")} == {
        name: restored[name] for name in restored if name not in ("col", "config")
    }


def test_an_open_collection_of_anki_is_locked_and_named(library, tmp_path):
    (data := tmp_path / "data").mkdir()
    library(ANKI, "fill", cwd=data)
    with subprocess.Popen(
        [library.python, "-c", ANKI, "hold"], cwd=data, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as anki:
        assert anki.stdout.readline() == "open\n"
        result = run("backup", "--data", data, "-o", tmp_path / "archive.zip", "--busy-timeout", "50ms")
        anki.communicate("")
    assert result.returncode == 3
    with zipfile.ZipFile(tmp_path / "archive.zip") as archive:
        [skipped] = json.loads(archive.read("MANIFEST.json"))["skipped"]
    assert (skipped["path"], skipped["reason"]) == ("collection.anki2", "locked")


# Django: a project with users, sessions and uploads, by its own models.

DJANGO = """
import json, sys
import django
from django.conf import settings
from django.core import management
settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3", "OPTIONS": {"timeout": 20}}},
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions"],
    MEDIA_ROOT="media", SECRET_KEY="x", USE_TZ=True, DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
)
django.setup()
from django.contrib.auth.models import Group, User
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.serializers import serialize
from django.contrib.sessions.backends.db import SessionStore
from django.db import transaction

def add(index):
    # A user and a group of the same name, or neither.
    with transaction.atomic():
        user = User.objects.create(username=f"user {index}", first_name="\\u00c9l\\u00e9onore")
        user.groups.add(Group.objects.create(name=f"user {index}"))

if sys.argv[1] == "fill":
    management.call_command("migrate", verbosity=0)
    for index in range(100):
        add(index)
    session = SessionStore()
    session["cart"] = [1, 2, 3]
    session.create()
    default_storage.save("avatars/1.png", ContentFile(bytes(range(256))))
elif sys.argv[1] == "write":
    for index in range(100, 1000000):
        add(index)
        print(index, flush=True)
else:
    management.call_command("migrate", check_unapplied=True, verbosity=0)
    management.call_command("check", databases=["default"], verbosity=0)
    names = set(User.objects.values_list("username", flat=True))
    assert names == set(Group.objects.values_list("name", flat=True)) == {f"user {index}" for index in range(len(names))}
from django.apps import apps
rows = {model._meta.label: json.loads(serialize("json", model.objects.order_by("pk"))) for model in apps.get_models()}
print(json.dumps(rows))
"""


@pytest.fixture
def project(library, tmp_path):
    (data := tmp_path / "project").mkdir()
    return data, library(DJANGO, "fill", cwd=data)


def test_a_project_of_django(library, project, tmp_path):
    data, rows = project
    assert len(rows["auth.User"]) == 100 and len(rows["sessions.Session"]) == 1
    out, files = back_up_and_restore(tmp_path, data, "--include", "media")
    assert files == {"db.sqlite3", "media/avatars/1.png"}
    assert same_bytes(data, out, files)
    assert library(DJANGO, "check", cwd=out) == rows


def test_a_project_of_django_that_writes_meanwhile(library, project, tmp_path):
    data, rows = project
    with subprocess.Popen([library.python, "-c", DJANGO, "write"], cwd=data, stdout=subprocess.PIPE, text=True) as writer:
        try:
            assert writer.stdout.readline() == "100\n"
            out, _ = back_up_and_restore(tmp_path, data)
            wait_until(lambda: writer.stdout.readline(), "another transaction")
        finally:
            writer.kill()
    later = library(DJANGO, "check", cwd=out)
    assert later["auth.User"][:100] == rows["auth.User"] and len(later["auth.User"]) > 100


# Rails 8: four databases beside one another; the tables are those that its generators make.

RAILS = {
    "production.sqlite3": "CREATE TABLE users (id integer PRIMARY KEY AUTOINCREMENT NOT NULL, email_address varchar NOT NULL,"
    " password_digest varchar NOT NULL, created_at datetime(6) NOT NULL);"
    "CREATE UNIQUE INDEX index_users_on_email_address ON users (email_address);",
    "production_cache.sqlite3": "CREATE TABLE solid_cache_entries (id integer PRIMARY KEY AUTOINCREMENT NOT NULL, key blob(1024)"
    " NOT NULL, value blob(536870912) NOT NULL, created_at datetime(6) NOT NULL, key_hash integer(8) NOT NULL);"
    "CREATE UNIQUE INDEX index_solid_cache_entries_on_key_hash ON solid_cache_entries (key_hash);",
    "production_queue.sqlite3": "CREATE TABLE solid_queue_jobs (id integer PRIMARY KEY AUTOINCREMENT NOT NULL, queue_name varchar"
    " NOT NULL, class_name varchar NOT NULL, arguments text, finished_at datetime(6));"
    "CREATE INDEX index_solid_queue_jobs_on_class_name ON solid_queue_jobs (class_name);",
    "production_cable.sqlite3": "CREATE TABLE solid_cable_messages (id integer PRIMARY KEY AUTOINCREMENT NOT NULL, channel"
    " blob(1024) NOT NULL, payload blob(536870912) NOT NULL, created_at datetime(6) NOT NULL, channel_hash integer(8) NOT NULL);",
}


def dump(path):
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return list(connection.iterdump())


def test_the_four_databases_of_rails(tmp_path):
    (storage := tmp_path / "storage").mkdir()
    connections = []
    for name, schema in RAILS.items():
        connection = make.create(storage / name, make.WAL)
        connections.append(connection)
        connection.executescript(
            "CREATE TABLE schema_migrations (version varchar NOT NULL PRIMARY KEY);"
            "CREATE TABLE ar_internal_metadata (key varchar NOT NULL PRIMARY KEY, value varchar);"
            f"INSERT INTO schema_migrations VALUES ('20261128000000');{schema}"
        )
        table = schema.split()[2]
        columns = [row[1:3] for row in connection.execute(f"PRAGMA table_info({table})")]
        for index in range(300):
            values = [index if kind.lower().startswith("integer") else f"{column} {index}" for column, kind in columns]
            connection.execute(f"INSERT INTO {table} VALUES ({','.join('?' * len(values))})", values)
    # The application is running: what it wrote last is in the logs.
    assert all((storage / f"{name}-wal").stat().st_size for name in RAILS)
    out, files = back_up_and_restore(tmp_path, storage)
    assert files == set(RAILS)
    for name in RAILS:
        assert len(rows := dump(out / name)) > 300 and rows == dump(storage / name)
    for connection in connections:
        connection.close()


# Vaultwarden: one database, folders of files beside it, and a configuration that only some have.

VAULTWARDEN = """
CREATE TABLE users (uuid TEXT NOT NULL PRIMARY KEY, email TEXT NOT NULL UNIQUE, akey TEXT NOT NULL);
CREATE TABLE ciphers (uuid TEXT NOT NULL PRIMARY KEY, user_uuid TEXT REFERENCES users (uuid), data TEXT NOT NULL);
CREATE TABLE attachments (id TEXT NOT NULL PRIMARY KEY, cipher_uuid TEXT REFERENCES ciphers (uuid), file_size INTEGER NOT NULL);
"""


@pytest.mark.parametrize("has_config", [True, False], ids=["with config.json", "without"])
def test_a_tree_of_vaultwarden(tmp_path, has_config):
    (data := tmp_path / "data").mkdir()
    numbers = count()
    uuid = lambda: f"00000000-0000-4000-8000-{next(numbers):012}"  # noqa: E731
    connection = make.create(data / "db.sqlite3", make.WAL)
    connection.executescript(VAULTWARDEN)
    expected = {"db.sqlite3", "rsa_key.pem"}
    for index in range(20):
        user, cipher, attachment = uuid(), uuid(), uuid()
        connection.execute("INSERT INTO users VALUES (?, ?, ?)", (user, f"{index}@example.org", "2.key"))
        connection.execute("INSERT INTO ciphers VALUES (?, ?, ?)", (cipher, user, "{}"))
        # Sizes of which some are 0, 1, and around a page.
        size = [0, 1, 2, 4095, 4096, 4097, 70000][index % 7]
        connection.execute("INSERT INTO attachments VALUES (?, ?, ?)", (attachment, cipher, size))
        file = data / "attachments" / cipher / attachment
        file.parent.mkdir(parents=True)
        file.write_bytes(bytes([index]) * size)
        expected.add(str(file.relative_to(data)))
    (data / "rsa_key.pem").write_text("-----BEGIN RSA PRIVATE KEY-----\n")
    (data / "icon_cache").mkdir()
    (data / "icon_cache/example.org.png").write_bytes(b"not worth a backup")
    if has_config:
        (data / "config.json").write_text('{"domain": "https://vault.example.org"}')
        expected.add("config.json")
    options = ["--include", "attachments/", "--include", "rsa_key.pem", "--include-if-present", "config.json"]
    out, files = back_up_and_restore(tmp_path, data, *options, "--include-if-present", "sends")
    assert files == expected
    assert dump(out / "db.sqlite3") == dump(data / "db.sqlite3")
    assert same_bytes(data, out, files - {"db.sqlite3"})
    with closing(sqlite3.connect(out / "db.sqlite3")) as restored:
        for id, cipher, size in restored.execute("SELECT * FROM attachments"):
            assert (out / "attachments" / cipher / id).stat().st_size == size
    connection.close()
