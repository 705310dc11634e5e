"""What `sluice setup` would write for a directory, and what it refuses. It needs neither root nor systemd for that."""

import grp
import os
import pwd
import re
import socket

import pytest

from harness import run


def dry_run(*arguments):
    return run("setup", "--dry-run", *arguments, timeout=60)


def test_the_service_runs_as_the_owner_of_the_directory_and_its_group_may_connect(tmp_path):
    result = dry_run("--data", tmp_path, "--instance", "app", "--enable")
    assert result.returncode == 0
    status = tmp_path.stat()
    for line in [
        "# /etc/systemd/system/sluice@app.service.d/50-sluice-setup.conf",
        f"User={pwd.getpwuid(status.st_uid).pw_name}",
        f"Group={grp.getgrgid(status.st_gid).gr_name}",
        f'Environment="SLUICE_DATA={tmp_path.resolve()}"',
        f"SocketGroup={grp.getgrgid(status.st_gid).gr_name}",
        "systemctl enable --now sluice@app.socket",
    ]:
        assert line in result.stdout.splitlines()
    assert not os.path.exists("/etc/systemd/system/sluice@app.service.d")


def test_a_path_is_quoted_as_systemd_reads_it(tmp_path):
    directory = tmp_path / "a \"b\" 'c' 100% d\\e"
    directory.mkdir()
    assert f"{tmp_path}/a \\\"b\\\" 'c' 100%% d\\\\e\"\n" in dry_run("--data", directory).stdout


@pytest.mark.parametrize("mark", ["\u0301", "\u0600"], ids=["combining mark", "prepended sign"])
def test_a_path_is_quoted_byte_by_byte(tmp_path, mark):
    """To Swift, a quotation mark with a combining mark behind it is another character."""
    directory = tmp_path / f"a{mark}\"{mark} %{mark}{mark}\\{mark}"
    directory.mkdir()
    assert f"{tmp_path}/a{mark}\\\"{mark} %%{mark}{mark}\\\\{mark}\"\n" in dry_run("--data", directory).stdout


def test_a_directory_below_home_is_seen_whatever_its_name_begins_with(tmp_path_factory):
    home = "/tmp/\u0301" + tmp_path_factory.getbasetemp().name
    os.mkdir(home)
    try:
        assert "PrivateTmp=no" in dry_run("--data", home).stdout.splitlines()
    finally:
        os.rmdir(home)


def test_a_link_is_followed_now_and_not_when_the_service_starts(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert f'"SLUICE_DATA={tmp_path.resolve()}/real"' in dry_run("--data", tmp_path / "link").stdout


def test_the_memory_limit_fits_the_number_of_databases(tmp_path):
    for number in range(3000):
        (tmp_path / f"{number}.db").write_bytes(b"SQLite format 3\0" + bytes(84))
    assert "MemoryMax=576M" in dry_run("--data", tmp_path).stdout.splitlines()
    for number in range(500):
        (tmp_path / f"{number}.db").unlink()
    assert "MemoryMax=" not in dry_run("--data", tmp_path).stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_database_of_another_user_is_named(tmp_path):
    (tmp_path / "other.db").touch()
    os.chown(tmp_path / "other.db", 12345, 12345)
    result = dry_run("--data", tmp_path)
    assert result.returncode == 0 and "other.db" in result.stderr and "12345" in result.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
@pytest.mark.parametrize(
    ("group", "mode", "expected"),
    [("www-data", 0o750, "www-data"), ("www-data", 0o700, "root"), ("nogroup", 0o755, "root")],
)
def test_no_more_may_connect_than_may_read_the_directory(tmp_path, group, mode, expected):
    os.chown(tmp_path, 33, grp.getgrnam(group).gr_gid)
    tmp_path.chmod(mode)
    result = dry_run("--data", tmp_path)
    assert f"SocketGroup={expected}" in result.stdout.splitlines()
    assert ("--socket-group" in result.stderr) == (expected == "root")
    assert "SocketGroup=adm" in dry_run("--data", tmp_path, "--socket-group", "adm").stdout.splitlines()


UNNAMED = [
    (41234, 41235, "user 41234", ["groupadd --system --gid 41235", "useradd --system --uid 41234 --gid 41235"]),
    (41234, 33, "user 41234", ["useradd --system --uid 41234 --gid 33"]),
    (33, 41235, "group 41235", ["groupadd --system --gid 41235"]),
    # root made the directory's group; the user's own is not known.
    (41234, 0, "user 41234", ["groupadd --system --gid 41234", "useradd --system --uid 41234 --gid 41234"]),
]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
@pytest.mark.parametrize(("user", "group", "what", "commands"), UNNAMED)
def test_an_owner_without_a_name_is_refused_with_the_commands_that_name_it(tmp_path, user, group, what, commands):
    """systemd would start no unit as a number: the files of a container's volume often belong to one."""
    os.chown(tmp_path, user, group)
    result = dry_run("--data", tmp_path)
    assert result.returncode == 1 and result.stdout == ""
    [line] = result.stderr.splitlines()
    assert what in line
    given = line.rpartition(": ")[2].split(" && ")
    assert len(given) == len(commands) and all(map(str.startswith, given, commands))


def test_it_prints_what_a_backup_takes_and_opens_no_database(house):
    (house / "link.db").symlink_to("events.db")
    before = sorted(os.listdir(house))
    lines = [line.removeprefix("#   ") for line in dry_run("--data", house).stdout.splitlines()]
    assert "taken: events.db (database, " in "\n".join(lines)
    assert (
        "skipped: link.db (symbolic-link): symbolic links are not followed; include the real path, or serve the real directory"
        in lines
    )
    assert "not looked at: subdirectory/inner.db looks like a database, and its folder is not included" in lines
    assert sorted(os.listdir(house)) == before
    for index in range(60):
        (house / "floor_plan" / f"{index}.json").touch()
    result = dry_run("--data", house)
    assert len(result.stdout.splitlines()) < 70 and f"more: sluice list --data {house}" in result.stdout


def test_a_directory_without_a_database_is_warned_of(tmp_path):
    result = dry_run("--data", tmp_path)
    assert result.returncode == 0 and "no SQLite database" in result.stderr


@pytest.mark.parametrize("data", ["/nowhere/at/all", "/etc/passwd", "/", "a\nb"])
def test_a_directory_that_no_unit_can_serve_is_refused(tmp_path, data):
    if "\n" in data:
        data = tmp_path / data
        data.mkdir()
    result = dry_run("--data", data)
    assert result.returncode == 1 and result.stdout == "" and len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("name", ["", "a/b", "a b", "..", "é", "sluice", "x" * 91])
def test_an_instance_that_systemd_would_not_take_is_refused(tmp_path, name):
    result = dry_run("--data", tmp_path, f"--instance={name}")
    assert result.returncode == 64 and "--instance" in result.stderr


@pytest.mark.parametrize("arguments", [[], ["--data", ".", "--enable", "--remove"]])
def test_a_command_line_without_sense_is_refused(arguments):
    assert dry_run(*arguments).returncode == 64


def test_the_commands_that_it_names_are_fit_for_an_ordinary_user(tmp_path):
    """Only root and the socket's group can connect, and only root can start units."""
    lines = dry_run("--data", tmp_path, "--instance", "app").stdout.splitlines()
    hints = lines[next(index for index, line in enumerate(lines) if line.startswith("next:")) :]
    assert len(hints) >= 4 and hints[-1].startswith("then:")
    commands = [command for line in hints for command in line.removeprefix("next:").removeprefix("then:").split(" && ")]
    assert [command for command in commands if not command.strip().startswith("sudo ")] == []


# A nightly pull.


def pull(*arguments):
    return dry_run("--pull", "app", *arguments)


def test_the_settings_of_a_pull_are_shown_without_secrets():
    result = pull("--url", "https://backup.example.org/x?db=$b", "--keep", "--last 3 --monthly 2", "--ping", "https://hc.example/0a1b-secret")
    assert result.returncode == 0 and "secret" not in result.stdout + result.stderr
    for line in [
        "# /etc/sluice/pull.d/app",
        'SLUICE_PULL_URL="https://backup.example.org/x?db=\\$b"',
        'SLUICE_PULL_NAME="app"',
        'SLUICE_PULL_KEEP="--last 3 --monthly 2"',
        'SLUICE_PULL_PING="https://hc.example/…"',
        "  sudo systemctl enable --now sluice-pull@app.timer",
    ]:
        assert line in result.stdout.splitlines()
    assert not os.path.exists("/etc/sluice/pull.d")


def test_a_password_in_a_url_or_in_an_option_of_a_pull_is_not_shown():
    options = "--restic rest:https://me:secret@h/x --rclone=:webdav,pass=secret:x --notify https://h/secret --ping=https://h/secret --last 3"
    result = pull("--url", "https://me:secret@backup.example.org/x?key=secret", "--options", options)
    assert result.returncode == 0 and "secret" not in result.stdout + result.stderr, result.stderr
    lines = result.stdout.splitlines()
    assert 'SLUICE_PULL_URL="https://backup.example.org/x?key=…"' in lines
    shown = "--restic rest:https://h/x --rclone=:webdav,pass=…:x --notify https://h/… --ping=https://h/… --last 3"
    assert f'SLUICE_PULL_OPTIONS="{shown}"' in lines


def test_the_options_of_another_program_are_not_shown():
    options = """--curl '--user me:secret -Hsecret --max-time 9' --curl=-ume:secret --to 'KEY=secret send -k secret --key=secret' --to=sh"""
    result = pull("--url", "http://h/", "--options", options, "--to", "curl -T - -H 'X-Key: secret' https://h/x?key=secret")
    assert result.returncode == 0 and "secret" not in result.stdout + result.stderr, result.stderr
    [line] = [line for line in result.stdout.splitlines() if line.startswith("SLUICE_PULL_OPTIONS=")]
    for shown in ("--to=curl -T … -H … …", "--user … … --max-time …", "--curl=…", "… … -k … …", "--to=sh"):
        assert shown in line, line


def test_a_pull_into_a_directory_runs_as_its_owner(tmp_path):
    lines = pull("--url", "http://h/", "--into", tmp_path).stdout.splitlines()
    assert f"User={pwd.getpwuid(tmp_path.stat().st_uid).pw_name}" in lines and f'SLUICE_PULL_DIRECTORY="{tmp_path}"' in lines
    assert f'ReadWritePaths="-{tmp_path}"' in lines


def test_a_pull_without_a_directory_needs_another_destination():
    assert pull("--url", "http://h/", "--into", "none").returncode == 64
    lines = pull("--url", "http://h/", "--into", "none", "--options", "--restic /srv/restic").stdout.splitlines()
    assert 'SLUICE_PULL_DIRECTORY="none"' in lines and 'SLUICE_PULL_OPTIONS="--restic /srv/restic"' in lines


@pytest.mark.parametrize("option", ["--notify", "--ping"])
def test_setup_reads_the_file_of_a_place_of_messages(tmp_path, option):
    (tmp_path / "url").write_text("https://hc.example/0a1b-secret\nand more\n")
    result = pull("--url", "http://h/", option, f"@{tmp_path}/url", option, "http://h/secret")
    assert f'SLUICE_PULL_{option[2:].upper()}="https://hc.example/… http://h/…"' in result.stdout.splitlines()
    assert result.returncode == 0 and "secret" not in result.stdout + result.stderr
    (tmp_path / "url").write_text("ftp://h/secret\n")
    for file, reason in [("url", "its first line is no URL of http or https"), ("none", ".*No such file.*")]:
        result = pull("--url", "http://h/", option, f"@{tmp_path}/{file}")
        assert result.returncode == 1 and re.fullmatch(rf"sluice: {option} {tmp_path}/{file}: {reason}\n", result.stderr), result.stderr


def test_a_variable_for_a_program_is_a_secret(tmp_path):
    (tmp_path / "password").write_text("a secret\nand more\n")
    result = pull("--url", "http://h/", "--variable", f"RESTIC_PASSWORD=@{tmp_path}/password", "--variable", "AWS_DEFAULT_REGION=secret")
    lines = result.stdout.splitlines()
    assert 'RESTIC_PASSWORD="…"' in lines and 'AWS_DEFAULT_REGION="…"' in lines and "secret" not in result.stdout
    (tmp_path / "password").write_text("\n")
    for file, words in [("password", "is empty"), ("none", "No such file")]:
        result = pull("--url", "http://h/", "--variable", f"RESTIC_PASSWORD=@{tmp_path}/{file}")
        assert result.returncode == 1 and words in result.stderr and len(result.stderr.splitlines()) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a socket away")
def test_a_pull_from_a_socket_is_a_member_of_its_group(tmp_path):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path := str(tmp_path / "s"))
        os.chown(path, 0, grp.getgrnam("www-data").gr_gid)
        os.chmod(path, 0o660)
        lines = pull("--unix-socket", path, "--options", "--curl '--max-time 9'").stdout.splitlines()
        assert "SupplementaryGroups=www-data" in lines
        # A setting of curl's options would be replaced by that one.
        assert f"""SLUICE_PULL_OPTIONS="--unix-socket={path} --curl '--max-time …'\"""" in "\n".join(lines).replace('\\"', "'")
        os.chown(path, 0, 0)
        result = pull("--unix-socket", path)
        assert result.returncode == 1 and "--socket-group" in result.stderr
    assert pull("--unix-socket", tmp_path / "none").returncode == 1


@pytest.mark.parametrize(
    "arguments",
    [[], ["--url", "ftp://h/"], ["--url", "http://me:secret#@h/"], ["--url", "http://h/", "--keep", "0"], ["--url", "http://h/", "--keep", "--last 1 --dry-run"],
     ["--url", "http://h/", "--notify", "ftp://h/0a1b-secret"], ["--url", "http://h/", "--options", "--nonsense"], ["--url", "http://h/", "--data", "/"],
     ["--url", "http://h/", "--ping", "http://h/\n0a1b-secret"], ["--unix-socket", "relative"], ["--url", "http://h/", "--show", "--enable"],
     ["--url", "http://h/", "--drill", "monthly"], ["--url", "http://h/", "--variable", "RESTIC_PASSWORD"],
     ["--url", "http://h/", "--variable", "SLUICE_PULL_KEEP=3"], ["--url", "http://h/", "--variable", "1A=secret"], ["--variable", "A=secret"],
     ["--url", "http://h/", "--variable", "A=\nB=secret"]],
)  # fmt: skip
def test_a_pull_that_the_unit_would_refuse_is_refused(arguments):
    result = pull(*arguments)
    assert (result.returncode, result.stdout) == (64, "") and "secret" not in result.stderr
    assert dry_run("--pull", "a/b", "--url", "http://h/").returncode == dry_run("--url", "http://h/").returncode == 64
