"""Pictures of the page for the documents: `make screenshots`. Or of all widths and both themes: give a folder."""

import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import data as make
from browser import browser
from harness import ROOT, serve, wait_until


def example(place):
    """A data directory with a bit of everything."""
    house = place / "app"
    house.mkdir()
    make.ledger(house / "settings.db", make.ROLLBACK)
    make.ledger(house / "events.db", make.WAL)
    make.bulk(house / "archive-2025.db", make.ROLLBACK, 1)
    return house, make.bulk(house / "telemetry.db", make.WAL, 3, open=True)


def main():
    with tempfile.TemporaryDirectory() as place:
        place = Path(place)
        house, application = example(place)
        (place / "state").mkdir()
        with serve(house, "--state-directory", place / "state") as server, browser(place) as window:
            link = house / "cache.db"
            for number in range(18):
                if number in (3, 4):
                    link.symlink_to("events.db")
                target = "/api/backup?db=events.db" if number % 6 == 5 else "/api/backup"
                assert server.get(target).status == 200
                link.unlink(missing_ok=True)
            link.symlink_to("events.db")
            with server.connect(receive_buffer=4096) as slow, server.connect(receive_buffer=4096) as lost:
                lost.begin("/api/backup").read(1 << 20)
                lost.close()
                slow.begin("/api/backup?compression=store").read(3 << 20)
                wait_until(
                    lambda: [each["phase"] for each in server.get("/status.json").json()["under_way"]] == ["sending", "suspended"],
                    "one runs, one is suspended",
                )
                views = [(1000, False)] if len(sys.argv) < 2 else [(width, dark) for width in (320, 800, 1600) for dark in (False, True)]
                for width, dark in views:
                    window.shape(width, 700, dark)
                    window.driver.get(server.url)
                    wait_until(lambda: window.run("return document.getElementById('live').textContent"), "it is live")
                    picture = Path(sys.argv[1]) / f"{width}-{'dark' if dark else 'light'}.png" if len(sys.argv) > 1 else ROOT / "docs/page.png"
                    window.screenshot(picture)
                    print(os.path.relpath(picture), picture.stat().st_size, "bytes", *window.problems())
        application.close()


if __name__ == "__main__":
    main()
