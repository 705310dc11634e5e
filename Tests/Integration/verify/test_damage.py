"""Random damage in databases that need their application's collation and function, against SQLite that has both."""

import json
import random
import re
import sqlite3
import zipfile

import pytest

from harness import run
from restoring import SLOW, backup, restore

DATABASES = 2000 if SLOW else 60
PER_ARCHIVE = 20


def unicase(first, second):
    return (first.lower() > second.lower()) - (first.lower() < second.lower())


def application(path):
    connection = sqlite3.connect(path, isolation_level=None)
    connection.create_collation("unicase", unicase)
    connection.create_function("key", 1, lambda text: str(text).lower(), deterministic=True)
    return connection


def create(path, chance):
    """Trees of one level and of several, overflow chains, a free list, with and without a pointer map."""
    connection = application(path)
    connection.execute(f"PRAGMA page_size={chance.choice([512, 1024, 4096, 65536])}")
    connection.execute(f"PRAGMA auto_vacuum={chance.choice(['NONE', 'FULL', 'INCREMENTAL'])}")
    connection.execute(f"PRAGMA encoding='{chance.choice(['UTF-8', 'UTF-16le', 'UTF-16be'])}'")
    connection.execute("PRAGMA synchronous=OFF")
    connection.execute("PRAGMA journal_mode=MEMORY")
    connection.executescript(
        """
        CREATE TABLE deck(id INTEGER PRIMARY KEY, name TEXT COLLATE unicase UNIQUE, size INT NOT NULL, content BLOB);
        CREATE INDEX deck_size ON deck(size);
        CREATE INDEX deck_fold ON deck(name COLLATE NOCASE);
        CREATE TABLE tag(name TEXT COLLATE unicase PRIMARY KEY, size INT) WITHOUT ROWID;
        CREATE TABLE plain(id INTEGER PRIMARY KEY, word TEXT, content BLOB);
        CREATE INDEX plain_word ON plain(word);
        CREATE TABLE passing(content BLOB);
        """
    )
    if chance.random() < 0.5:
        connection.execute("CREATE INDEX plain_key ON plain(key(word))")
    if chance.random() < 0.5:
        connection.execute("CREATE INDEX some_words ON plain(word COLLATE NOCASE) WHERE word > 'M' COLLATE unicase")
    connection.execute("BEGIN")
    for number in range(chance.choice([3, 30, 300])):
        # Bytewise, upper and lower case are not in this order.
        name = chance.choice("aBcDeF") + chance.randbytes(4).hex() + str(number)
        blob = chance.randbytes(chance.choice([0, 10, 100, 3000]))
        connection.execute("INSERT INTO deck(name, size, content) VALUES (?, ?, ?)", (name, number % 7, blob))
        connection.execute("INSERT INTO tag VALUES (?, ?)", (name, number))
        connection.execute("INSERT INTO plain(word, content) VALUES (?, ?)", (name, blob))
        connection.execute("INSERT INTO passing VALUES (?)", (blob,))
    connection.execute("DELETE FROM passing")
    connection.execute("DELETE FROM plain WHERE id % 3 = 0")
    connection.execute("COMMIT")
    connection.close()


def damage(path, chance):
    """Noise over a page or a part of one, a page in the place of another, or a few bits turned over; what was done."""
    content = bytearray(path.read_bytes())
    size = int.from_bytes(content[16:18], "big")
    size = 65536 if size == 1 else size
    page = chance.randrange(len(content) // size) * size
    kind = chance.choice(["page", "part", "exchange", "bits", "head"])
    match kind:
        case "page":
            content[page : page + size] = chance.randbytes(size)
        case "part":
            start = page + chance.randrange(size)
            count = min(chance.randrange(1, 200), page + size - start)
            content[start : start + count] = chance.randbytes(count)
        case "exchange":
            other = chance.randrange(len(content) // size) * size
            content[page : page + size], content[other : other + size] = content[other : other + size], content[page : page + size]
        case "bits":
            for _ in range(chance.randrange(1, 5)):
                content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        case "head":
            start = page + (100 if page == 0 else 0)
            content[start + chance.randrange(12)] ^= 1 << chance.randrange(8)
    # With SQLite's magic it stays a database.
    content[:16] = b"SQLite format 3\0"
    path.write_bytes(content)
    return f"{kind} in page {page // size + 1} of {size} bytes"


def newer(path):
    """Makes the schema one that no SQLite of today understands, by bytes, since what is damaged may have no schema to change."""
    content = path.read_bytes()
    for encoding in ("utf-8", "utf-16-le", "utf-16-be"):
        content = content.replace("passing(content BLOB)".encode(encoding), "passing(content BLO%)".encode(encoding))
    path.write_bytes(content)


RULE = re.compile(r"(NULL|NUMERIC|TEXT) value in |non-[A-Z]+ value in ")
# What only the application can judge.
OWN = re.compile(
    r"row (\d+ missing from index (sqlite_autoindex_deck_1|plain_key|some_words)|not in PRIMARY KEY order for tag)$"
    r"|non-unique entry in index sqlite_autoindex_deck_1$|wrong # of entries in index some_words$"
)


def judgement(path):
    """What SQLite says that has all that the database needs: "sound", "damaged", or "unjudged" for what needs that."""
    connection = application(path)
    try:
        connection.execute("PRAGMA cell_size_check=ON")
        messages = [text for text, in connection.execute("PRAGMA integrity_check(1000000)")]
    except UnicodeDecodeError:
        # The application's own functions and collations cannot make anything of noise in a text.
        return "unjudged", ["undecodable"]
    except sqlite3.DatabaseError as error:
        return ("unjudged" if "malformed database schema" in str(error) or "no such" in str(error) else "damaged"), [str(error)]
    finally:
        connection.close()
    if messages == ["ok"]:
        return "sound", messages
    if all(RULE.match(text) or OWN.match(text) for text in messages):
        return "unjudged", messages
    return "damaged", messages


@pytest.mark.parametrize("seed", range(DATABASES // PER_ARCHIVE))
def test_damage_is_found_or_said_to_be_unjudged(tmp_path, seed, record_property):
    chance = random.Random(seed)
    done, archive = {}, tmp_path / "x.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as zip:
        for number in range(PER_ARCHIVE):
            path = tmp_path / f"{number}.db"
            create(path, chance)
            undamaged = path.read_bytes()
            what = damage(path, chance)
            judged = judgement(path)
            is_newer = chance.random() < 0.4
            for name, content, told in [
                (path.name, path.read_bytes(), (what, judged)),
                (f"sound-{path.name}", undamaged, ("nothing", ("sound", ["ok"]))),
            ]:
                path.write_bytes(content)
                if is_newer:
                    newer(path)
                zip.write(path, name)
                done[name] = *told, is_newer
    answer = json.loads(run("verify", archive, "--json", "--spool-directory", tmp_path).stdout)
    found = {entry["path"]: entry for entry in answer["entries"]}
    for name, (what, (expected, messages), is_newer) in done.items():
        entry = found[name]
        told = f"seed {seed}, {name}, {what}: {entry}, {messages[:3]}"
        assert "not_finished" not in entry, told
        match expected:
            case "damaged":
                assert "fault" in entry, told
            case "sound":
                assert "fault" not in entry, told
                words = "malformed database schema (passing)" if is_newer else "what needs collation unicase"
                assert words in str(entry["not_checked"]), told
            case "unjudged":
                assert "fault" in entry or "not_checked" in entry, told
    record_property("cases", len(done))


def schema(path, name, sql):
    """Changes what the schema says of something, behind SQLite's back."""
    connection = application(path)
    connection.execute("PRAGMA writable_schema=ON")
    connection.execute("UPDATE sqlite_schema SET sql = ? WHERE name = ?", (sql, name))
    connection.close()


def filled(path, *statements):
    connection = application(path)
    for statement in statements:
        connection.execute(statement)
    connection.close()
    return path


def with_newer_sql(path):
    filled(path, "CREATE TABLE t(a, b)", "INSERT INTO t VALUES (1, 2)", "CREATE TABLE u(a PRIMARY KEY)", "INSERT INTO u VALUES (1)")
    schema(path, "t", "CREATE TABLE t(a OF SOME NEW KIND 5, b)")


def with_foreign_module(path):
    filled(path, "CREATE VIRTUAL TABLE f USING fts5(a)", "INSERT INTO f VALUES ('word')")
    schema(path, "f", "CREATE VIRTUAL TABLE f USING of_the_application(a)")


def with_foreign_tokenizer(path):
    filled(path, "CREATE VIRTUAL TABLE f USING fts5(a)", "INSERT INTO f VALUES ('word')")
    schema(path, "f", "CREATE VIRTUAL TABLE f USING fts5(a, tokenize = 'of_the_application')")


def with_null(path, table="t"):
    filled(path, f'CREATE TABLE "{table}"(a, b)', f'INSERT INTO "{table}" VALUES (NULL, 2)')
    schema(path, table, f'CREATE TABLE "{table}"(a NOT NULL, b)')


def with_other_types(path):
    filled(path, "CREATE TABLE t(a, b)", "INSERT INTO t VALUES ('1', 2)")
    schema(path, "t", "CREATE TABLE t(a INT, b TEXT)")


def with_strict_types(path):
    filled(path, "CREATE TABLE t(a, b)", "INSERT INTO t VALUES ('x', 2)")
    schema(path, "t", "CREATE TABLE t(a INT, b TEXT) STRICT")


def with_its_own(path, definition):
    """What SQLite has under these names, too, and an application may replace; strftime is that of a later version."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.create_function("lower", 1, lambda text: text.lower(), deterministic=True)
    connection.create_function("like", 2, lambda pattern, text: pattern.lower() in text.lower(), deterministic=True)
    connection.create_function("strftime", 2, lambda form, time: f"{form} of {time}", deterministic=True)
    connection.create_collation("NOCASE", lambda first, second: unicase(first[::-1], second[::-1]))
    connection.execute("CREATE TABLE t(name TEXT)")
    connection.execute(f"CREATE INDEX i ON t({definition}")
    connection.executemany("INSERT INTO t VALUES (?)", [("\u00c4pfel",), ("B\u00e4r",), ("c",), ("D",)])
    connection.close()


UNJUDGED = {
    "collation": (lambda path: create(path, random.Random(1)), "not_checked", "collation unicase"),
    "function": (
        lambda path: filled(path, "CREATE TABLE t(a)", "CREATE INDEX i ON t(key(a))", "INSERT INTO t VALUES ('X')"),
        "not_checked", "function key",
    ),
    "generated": (
        lambda path: filled(path, "CREATE TABLE t(a, b AS (key(a)) NOT NULL)", "INSERT INTO t VALUES ('X')"),
        "not_checked", "function key",
    ),
    "its own lower": (lambda path: with_its_own(path, "lower(name))"), "not_checked", "index i: its functions"),
    "its own LIKE": (lambda path: with_its_own(path, "name) WHERE name LIKE '\u00e4'"), "not_checked", "index i: its functions"),
    "its own NOCASE": (lambda path: with_its_own(path, "name COLLATE NOCASE)"), "not_checked", "index i: its collation"),
    "newer function": (lambda path: with_its_own(path, "strftime('%F', name))"), "not_checked", "index i: its functions"),
    "newer SQL": (with_newer_sql, "not_checked", "malformed database schema (t)"),
    "module": (with_foreign_module, None, None),
    "tokenizer": (with_foreign_tokenizer, None, None),
    "NULL": (with_null, "note", "NULL value in t.a"),
    # A combining mark: to Swift, one character with the space before it.
    "NULL in a table with a mark": (lambda path: with_null(path, "\u0301t"), "note", "NULL value in \u0301t.a"),
    "types": (with_other_types, "note", "TEXT value in t.a; NUMERIC value in t.b"),
    "strict": (with_strict_types, "note", "non-INT value in t.a"),
    "foreign key": (
        lambda path: filled(path, "CREATE TABLE p(a)", "CREATE TABLE c(b REFERENCES p(a))", "INSERT INTO c VALUES (1)"),
        "not_checked", "foreign key mismatch",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", UNJUDGED)
def test_what_only_the_application_can_judge_is_no_damage(tmp_path, kind):
    make, field, words = UNJUDGED[kind]
    for name in ("source", "target"):
        (tmp_path / name).mkdir()
    make(tmp_path / "source/x.db")
    archive = backup(tmp_path / "source", tmp_path / "x.zip")
    result = run("verify", archive, "--json")
    answer = json.loads(result.stdout)
    assert (result.returncode, answer["verdict"]) == (0, "whole"), answer
    [entry] = (entry for entry in answer["entries"] if entry["path"] == "x.db")
    assert field is None or words in str(entry[field])
    assert run("verify", archive, "--quick").returncode == 0
    if field == "not_checked":
        assert "x.db" in (line := run("verify", archive).stdout.splitlines()[0]) and "not fully checked: " in line
    result = restore(archive, tmp_path / "target")
    assert result.returncode == 0
    assert (tmp_path / "target/x.db").read_bytes() == zipfile.ZipFile(archive).read("x.db")


@pytest.mark.parametrize("table", ["deck", "tag", "plain", "sqlite_autoindex_deck_1", "deck_size"])
def test_a_page_of_noise_is_found_beside_what_is_not_judged(tmp_path, table):
    path = tmp_path / "x.db"
    create(path, random.Random(7))
    connection = application(path)
    [(page,)] = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,))
    [(size,)] = connection.execute("PRAGMA page_size")
    connection.close()
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(random.Random(page).randbytes(size))
    for schema_is_newer in (False, True):
        if schema_is_newer:
            connection = sqlite3.connect(path)
            connection.execute("PRAGMA writable_schema=ON")
            connection.execute("UPDATE sqlite_schema SET sql = 'CREATE TABLE passing(a OF SOME NEW KIND 5)' WHERE name = 'passing'")
            connection.commit()
            connection.close()
        with zipfile.ZipFile(tmp_path / "x.zip", "w") as zip:
            zip.write(path, "x.db")
        for options in ([], ["--quick"]):
            result = run("verify", tmp_path / "x.zip", *options)
            assert result.returncode == 1 and "x.db" in result.stdout.splitlines()[0] and "DAMAGED" in result.stdout
            assert str(page) in result.stdout.splitlines()[0]


def test_an_index_with_a_built_in_collation_is_still_compared(tmp_path):
    """Beside one in the application's order, in a table whose rows that one tells of in their hundreds."""
    path = tmp_path / "x.db"
    create(path, random.Random(3))
    connection = application(path)
    connection.executemany(
        "INSERT INTO deck(name, size) VALUES (?, 1)", ((letter + str(number),) for number in range(300) for letter in "aB")
    )
    connection.execute("CREATE INDEX fewer ON deck(size) WHERE id < 500")
    connection.close()
    schema(path, "fewer", "CREATE INDEX fewer ON deck(size)")
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as zip:
        zip.write(path, "x.db")
    result = run("verify", tmp_path / "x.zip")
    assert result.returncode == 1 and "index fewer" in result.stdout


@pytest.mark.parametrize("encoding", ["UTF-8", "UTF-16le", "UTF-16be"])
def test_a_schema_in_another_encoding_than_the_headers_is_damage(tmp_path, encoding):
    (data := tmp_path / "data").mkdir()
    connection = sqlite3.connect(data / "a.db")
    connection.executescript(f"PRAGMA encoding='{encoding}'; CREATE TABLE t(x); INSERT INTO t VALUES (1)")
    connection.close()
    content = bytearray((data / "a.db").read_bytes())
    # SQLite takes two bits of it.
    right, taken = content[59], set()
    for number in range(8):
        content[59] = number
        (data / "a.db").write_bytes(content)
        (archive := tmp_path / f"{number}.zip").unlink(missing_ok=True)
        assert run("backup", "--data", data, "-o", archive).returncode == 0
        result = run("verify", archive)
        taken.add((number, result.returncode))
        if result.returncode:
            assert "a.db" in result.stdout and "DAMAGED" in result.stdout
    assert taken == {(number, int((number & 3 or 1) != right)) for number in range(8)}


@pytest.mark.parametrize("bit", [0, 1, 2, 7])
@pytest.mark.parametrize("words", ["INDEX ^word_of ON", "ON ^plain(", "plain(^word)", "TABLE ^plain(", "^word TEXT"])
def test_a_bit_that_flips_in_a_name_of_the_schema_is_damage(tmp_path, words, bit):
    """SQLite says that the schema is malformed, as it does of SQL that is newer than itself."""
    path = tmp_path / "x.db"
    filled(path, "CREATE TABLE plain(id INTEGER PRIMARY KEY, word TEXT)", "CREATE INDEX word_of ON plain(word)")
    before, after = words.encode().split(b"^")
    content = bytearray(path.read_bytes())
    content[content.index(before + after) + len(before)] ^= 1 << bit
    path.write_bytes(content)
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as zip:
        zip.write(path, "x.db")
    result = run("verify", tmp_path / "x.zip")
    assert result.returncode == 1 and "x.db" in (line := result.stdout.splitlines()[0]) and "DAMAGED" in line
