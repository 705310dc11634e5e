"""The container image: built by buildah from no other image, and run as any user over a root file system that is read-only."""

import json
import os
import re
import shutil
import subprocess

import pytest
import yaml

import data as make
from archive import Archive
from client import Connection
from harness import ROOT, SLUICE, run, wait_until
from tokens import FIRST

CONTAINER = ROOT / "deploy/container"


def options_of_serve():
    return set(re.findall(r"(?<!\S)(--[a-z-]+)", run("serve", "--help").stdout.partition("OPTIONS:")[2]))


def test_the_examples_run_sluice_as_the_application_s_user_on_the_whole_volume():
    compose = yaml.safe_load((CONTAINER / "compose.yaml").read_text())
    app, sluice = compose["services"]["app"], compose["services"]["sluice"]
    assert sluice["user"] == app["user"] and app["volumes"][0] in sluice["volumes"] and sluice["read_only"] is True
    pod = yaml.safe_load((CONTAINER / "kubernetes.yaml").read_text())["spec"]
    app, sluice = pod["containers"]
    assert "securityContext" not in app and "runAsUser" not in sluice["securityContext"] and pod["securityContext"]["runAsNonRoot"]
    assert app["volumeMounts"][0] in sluice["volumeMounts"]
    assert {mount["name"] for mount in sluice["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}
    command = json.loads(re.search(r"(?m)^CMD (.*)$", (CONTAINER / "Containerfile").read_text())[1])
    for words in (command, sluice["args"]):
        assert {word for word in words if word.startswith("--")} <= options_of_serve() and words[0] == "serve"
    version = run("--version").stdout.split()[1]
    assert all(f"sluice:{version}\n" in path.read_text() for path in CONTAINER.glob("*.yaml"))


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    """What the image's root file system has, and its configuration."""
    if not shutil.which("buildah") or os.geteuid() != 0:
        pytest.skip("it needs buildah, and root")
    storage = tmp_path_factory.mktemp("storage")
    environment = os.environ | {"VERSION": "1", "SLUICE": str(SLUICE), "PATH": f"{storage}:{os.environ['PATH']}"}
    # Images of its own, beside those of this machine, and plain folders instead of mounts.
    (wrapper := storage / "buildah").write_text(
        f'#!/bin/sh\nexec {shutil.which("buildah")} --storage-driver vfs --root {storage}/root --runroot {storage}/run "$@"\n'
    )
    wrapper.chmod(0o755)

    def buildah(*words):
        return subprocess.run([wrapper, *words], env=environment, check=True, capture_output=True, text=True, timeout=120).stdout.strip()

    (trial := storage / "trial").mkdir()
    (trial / "Containerfile").write_text("FROM scratch\nCOPY Containerfile /\n")
    try:
        buildah("build", "--isolation", "chroot", trial)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"buildah cannot build here: {error.stderr}")
    subprocess.run([CONTAINER / "build"], env=environment, check=True, capture_output=True, timeout=120)
    container = buildah("from", "localhost/sluice:1")
    root = buildah("mount", container)
    yield buildah, container, root
    buildah("umount", container)
    shutil.rmtree(storage, ignore_errors=True)


def test_any_user_backs_up_verifies_and_is_healthy(image, tmp_path):
    buildah, container, _ = image
    (data := tmp_path / "data").mkdir()
    (out := tmp_path / "out").mkdir()
    make.bulk(data / "main.db", make.WAL, 1)
    for path in (data, out, *data.iterdir()):
        os.chown(path, 4321, 4321)
    for folder in (tmp_path, *tmp_path.parents[:-1]):
        folder.chmod(folder.stat().st_mode | 0o011)
    command = ["run", "--isolation", "chroot", "--user", "4321:4321", "-v", f"{data}:/data", "-v", f"{out}:/out", container, "--"]
    buildah(*command, "/usr/bin/sluice", "backup", "--data", "/data", "-o", "/out/app.zip")
    assert "main.db" in Archive(out / "app.zip").names
    assert "whole" in buildah(*command, "/usr/bin/sluice", "verify", "/out/app.zip")


def test_it_serves_with_a_root_file_system_that_is_read_only(image, tmp_path):
    """As the image's own command has it, but for the port: a network of its own has the container's."""
    buildah, container, root = image
    config = json.loads(buildah("inspect", container))["Docker"]["config"]
    assert config["Entrypoint"] == ["/usr/bin/sluice"] and config["User"] == "65532:65532" and "Healthcheck" in config
    for name in ("data", "state"):
        (tmp_path / name).mkdir()
        os.chown(tmp_path / name, 4321, 4321)
    make.bulk(tmp_path / "data/main.db", make.WAL, 1)
    for path in (tmp_path / "data").iterdir():
        os.chown(path, 4321, 4321)
    (tmp_path / "token").write_text(f"{FIRST}\n")
    os.chown(tmp_path / "token", 4321, 4321)
    script = f"""set -eu
ip link set lo up
mount --bind {root} {root}
touch {root}/run/secrets/sluice_token
mount --bind {tmp_path}/token {root}/run/secrets/sluice_token
for name in data state; do mount --bind {tmp_path}/$name {root}/$name; done
mount -t tmpfs -o mode=1777 tmpfs {root}/var/tmp
mkdir -p {root}/proc
mount -t proc proc {root}/proc
mount -o remount,bind,ro {root}
if touch {root}/x 2>/dev/null; then exit 1; fi
# The kernel forgets whose end is to kill a process once that changes its user: so the shell stays.
setpriv --no-new-privs chroot --userspec=4321:4321 {root} \\
  {' '.join(config["Entrypoint"] + config["Cmd"])} --listen unix:/state/s &
wait
"""
    with subprocess.Popen(["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "sh", "-c", script]) as process:
        try:
            wait_until(lambda: (tmp_path / "state/s").exists() or process.poll() is not None, "its socket")
            with Connection(tmp_path / "state/s") as connection:
                answer = connection.answer("GET", "/api/backup", Authorization=f"Bearer {FIRST}")
            assert Archive(answer.body).manifest["complete"]
            health = ["nsenter", "--net", f"--target={process.pid}", SLUICE, "health", "127.0.0.1:8080"]
            assert subprocess.run(health, capture_output=True, timeout=30).returncode == 0
            assert (tmp_path / "state/state.json").exists()
        finally:
            process.kill()  # and its child with it, and all below that
