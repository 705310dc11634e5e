"""What a bad command line gets: one clear line, before anything listens."""

import socket

import pytest

from harness import AS_ORDINARY_USER, run, serve


def assert_refused(result, *words):
    """One line on standard error that names what is wrong, and a status that says so too."""
    assert result.returncode > 0
    assert result.stdout == ""
    [line] = result.stderr.splitlines()
    for word in words:
        assert word in line


@pytest.mark.parametrize("command", ["serve", "backup"])
@pytest.mark.parametrize("kind", ["missing", "a file", "unreadable"])
def test_a_data_directory_that_cannot_be_read_is_refused(tmp_path, command, kind):
    directory = tmp_path / "data"
    if kind == "a file":
        directory.touch()
    elif kind == "unreadable":
        directory.mkdir(mode=0)
    result = run(command, "--data", directory, prefix=AS_ORDINARY_USER, cwd=tmp_path, timeout=60)
    assert_refused(result, "--data", str(directory))


def test_an_address_in_use_is_refused(house, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        assert_refused(run("serve", "--data", house, "--listen", address, timeout=60), "--listen", address, "in use")
    with serve(house, listen=[f"unix:{tmp_path}/sluice.sock"]):
        address = f"unix:{tmp_path}/sluice.sock"
        assert_refused(run("serve", "--data", house, "--listen", address, timeout=60), "--listen", address, "in use")


def test_a_limit_too_low_to_serve_anybody_is_refused(house):
    """With a dozen descriptors it would listen, and answer no client."""
    command = ["serve", "--data", house, "--listen", "127.0.0.1:0"]
    assert_refused(run(*command, prefix=["prlimit", "--nofile=63:63"], timeout=60), "63", "LimitNOFILE=")
    with serve(house, prefix=["prlimit", "--nofile=64:64"]) as server:
        assert server.get("/api/backup").status == 200


BAD_FLAGS = [
    ("--listen", ["", "8080", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "localhost:http",
                  "[::1:80", "unix:", "unix:" + "x" * 200,
                  "https://127.0.0.1:80", "http://127.0.0.1:80/api/backup", "http://unix:/x", "http://"]),
    ("--listen", ["0.0.0.0:0", "[::]:0"]),  # there is no token yet that would make these safe
    ("--compression", ["", "lzma", "9", "STORE"]),
    ("--max-backups", ["0", "-1", "x", "1.5", "99999999999999999999"]),
    ("--memory-budget", ["", "-1", "64", "x", "64MiBs", "1e3", "99999999999999999999GiB"]),
    ("--busy-timeout", ["", "-1s", "5", "soon", "99999999999999999999h"]),
    ("--stall-timeout", ["0s", "-1s", "60 s"]),
    ("--max-snapshot-age", ["0s", "-1h", "x"]),
    ("--max-wal-growth", ["-1", "x", "1XB"]),
    ("--min-free", ["-1", "x", "100%", "5 %", "%", "0.001%", "-5%"]),
    ("--drain-timeout", ["-1s", "x"]),
    ("--spool-directory", ["/nowhere/at/all", "/etc/passwd"]),
    ("--name", ["", "a/b", "..", 'a"b', "a\nb"]),
    ("--app-version", ["1\n2"]),
    ("--include-if-present", ["/etc", "../x", "MANIFEST.json"]),
    ("--exclude", ["", "/etc/*", ".."]),
    ("--include", ["", "/etc", "..", "../x", "floor_plan/../..", "a//b"]),
]  # fmt: skip


# A number without a unit could only be guessed at for a time; for bytes it is bytes.
@pytest.mark.parametrize(
    ("flag", "value"),
    [(flag, value) for flag, values in BAD_FLAGS for value in values if (flag, value) != ("--memory-budget", "64")],
)
def test_a_flag_out_of_range_is_refused_by_its_name(house, flag, value):
    command = ["serve", "--data", house, f"{flag}={value}"]
    if flag != "--listen":
        command.append("--listen=127.0.0.1:0")
    assert_refused(run(*command, timeout=60), flag)


@pytest.mark.parametrize(
    "command", [["serve"], ["serve", "--data"], ["backup"], ["serve", "--data", ".", "--nonsense"], ["restore-all"]]
)
def test_a_command_line_that_makes_no_sense_is_refused(command):
    result = run(*command, timeout=60)
    assert result.returncode > 0 and result.stdout == ""
    assert 1 <= len(result.stderr.splitlines()) <= 3


@pytest.mark.parametrize("time", ["5", "5x", "m", ".5s", "1.s", "0.1ms", "3651d"])
def test_a_wrong_time_is_told_what_one_looks_like(time):
    assert_refused(run("health", "--timeout", time), "--timeout", "such as 500ms, 5s, 10min")


@pytest.mark.parametrize("size", ["64M", "GiB", "1.0000000001kB", "0.1B"])
def test_a_wrong_size_is_told_what_one_looks_like(house, size):
    assert_refused(run("backup", "--data", house, "--memory-budget", size), "--memory-budget", "such as 1048576, 64MiB, 1.5GiB")


@pytest.mark.parametrize(("time", "size"), [("5m", "1.5GiB"), ("1.5h", "0.25MiB"), ("0.5s", "100000")])
def test_times_and_sizes_with_a_point(house, tmp_path, time, size):
    options = ["--busy-timeout", time, "--memory-budget", size, "--spool-directory", tmp_path]
    assert run("backup", "--data", house, "-o", tmp_path / "x.zip", *options).returncode == 0
