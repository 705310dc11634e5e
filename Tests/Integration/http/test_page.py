"""`/`: the page, in a browser and without one."""

import json
import os
import re
import sqlite3
import threading
import time
import zipfile
from html.parser import HTMLParser
from urllib.parse import quote

import pytest

import browser as chromium
import data as make
from archive import Archive
from client import Connection
from harness import free_ports, run, serve, wait_until
from nginx import place, running, sluice_behind
from tokens import FIRST

# What a page may weigh, in bytes.
HEAVIEST = 60_000
NAMES = [
    "<svg onload=alert(1)>.db", "'\"><img src=x onerror=alert(1)>.db", "שלום עולם \u202egpj.db", "a&amp;b.db",
    "n" * 197 + ".db", "ü" * 100 + ".db", "100%.db", "a+b c#d?e.db",
]  # fmt: skip


def small(path):
    connection = sqlite3.connect(path)
    connection.executescript("PRAGMA journal_mode=WAL; CREATE TABLE t(x); INSERT INTO t VALUES (1)")
    connection.close()
    return path


@pytest.fixture
def hostile(tmp_path):
    house = tmp_path / "hostile"
    house.mkdir()
    for name in NAMES:
        small(house / name)
    small(house / "line\nbreak.db")
    (house / "<b>link<b>.db").symlink_to("100%.db")
    return house


class Page(HTMLParser):
    """The elements of a page, and the texts in them."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.texts = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_data(self, text):
        self.texts.append(text)

    def named(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def fetched(server, target="/", **headers):
    answer = server.get(target, **headers)
    assert answer.status == 200, answer.body
    assert len(answer.body) < HEAVIEST
    return Page(answer.body.decode())


def test_it_says_everything_without_a_script(house):
    (house / "link.db").symlink_to("events.db")
    with serve(house, "--name", "spaxel") as server:
        assert server.get("/api/backup").status == 200
        document = server.get("/status.json").json()
        page = fetched(server)
        text = " ".join(page.texts)
    for database in document["directory"]["databases"]:
        assert database["path"] in text and f"{database['bytes']:,},B".replace(",", "\u202f") in text
        assert f"api/backup?db={quote(database['path'])}" in [each.get("href") for each in page.named("a")]
    assert "link.db" in text and "symbolic links are not followed" in text and "incomplete" in text
    assert "api/backup" in [each.get("href") for each in page.named("a")]
    assert "curl -fo backup.new 'http://localhost/api/backup'" in "".join(page.texts)
    assert len(page.named("svg")) == 4 and len(page.named("rect")) == 3


def test_its_policy_allows_nothing_but_itself(house):
    with serve(house) as server:
        answer = server.get("/")
    policy = dict(part.split(" ", 1) for part in answer.headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == policy["base-uri"] == policy["form-action"] == policy["frame-ancestors"] == "'none'"
    assert re.fullmatch("'sha256-.{44}'", policy["script-src"]) and re.fullmatch("'sha256-.{44}'", policy["style-src"])
    page = Page(answer.body.decode())
    for tag, attributes in page.elements:
        assert not any(name.startswith("on") or name == "style" for name in attributes), (tag, attributes)
        for name in ("href", "src"):
            assert not re.match("[a-z]+:|/", attributes.get(name) or "") or attributes[name].startswith("data:image"), attributes


def test_names_are_texts_and_never_markup(hostile):
    with serve(hostile) as server:
        page = fetched(server)
        assert len(page.named("img")) == 0 and len(page.named("script")) == 1
        # None of the names has become an element, and each link leads to its database.
        links = [each["href"] for each in page.named("a") if each.get("href", "").startswith("api/backup?db=")]
        assert len(links) == len(NAMES)
        for link in links:
            Archive(server.get("/" + link).body)


def test_a_page_that_says_much_stays_light(tmp_path):
    """With all that it can have in it; with names whose every character is written as five."""
    house = tmp_path / "house"
    house.mkdir()
    content = small(tmp_path / "one.db").read_bytes()
    for number in range(45):
        (house / f"{number:012}.db").write_bytes(content)
        (house / f"link-{number:02}.db").symlink_to("nowhere")
    make.bulk(house / "big.db", make.ROLLBACK, 8)
    with serve(house) as server, server.connect(receive_buffer=4096) as client:
        for _ in range(31):
            assert server.get("/api/backup").status == 200
        client.begin("/api/backup?compression=store").read(1000)
        assert len(fetched(server).named("rect")) == 90
    for path in house.iterdir():
        path.rename(house / ("'" * 230 + path.name))
    with serve(house) as server:
        fetched(server)


def test_a_directory_that_cannot_be_listed_is_not_called_empty(house):
    with serve(house) as server:
        house.rename(house.with_name("gone"))
        text = " ".join(fetched(server).texts)
    assert text.count("cannot be read") == 1 and "It is not known which there are" in text
    assert "it would be complete" not in text and "There is no database" not in text


@pytest.mark.parametrize("count", [0, 1, 1000])
def test_there_may_be_any_number_of_databases(tmp_path, count):
    house = tmp_path / "house"
    house.mkdir()
    content = small(tmp_path / "one.db").read_bytes()
    for number in range(count):
        (house / f"{number:04}.db").write_bytes(content)
    with serve(house, "--name", "house") as server:
        wait_until(lambda: len(server.get("/status.json").json()["directory"]["databases"]) == count, "they are listed", 60)
        seen, target = [], "/"
        while target:
            page = fetched(server, target)
            seen += [each["href"][-7:] for each in page.named("a") if each.get("href", "").startswith("api/backup?db=")]
            later = [each["href"] for each in page.named("a") if each.get("href", "").startswith("?from=")]
            target = next(("/" + each for each in later if int(each[6:]) >= len(seen)), None)
        assert seen == [f"{number:04}.db"[-7:] for number in range(count)]
        assert server.get("/?from=-1").status == server.get("/?from=1e9").status == server.get("/?x=1").status == 400
        fetched(server, "/?from=999999999")


def test_it_needs_a_token_if_the_service_has_one(house, tmp_path):
    (tmp_path / "tokens").write_text(FIRST + "\n")
    with serve(house, "--token-file", tmp_path / "tokens") as server:
        answer = server.get("/")
        assert answer.status == 401 and b"events" not in answer.body
        page = fetched(server, Authorization=f"Bearer {FIRST}")
    assert "$TOKEN" in "".join(page.texts) and FIRST not in "".join(page.texts)


@pytest.mark.parametrize("host", ["Host backup.example.org", "X-Forwarded-Host backup.example.org"])
def test_a_command_has_the_address_that_a_proxy_tells(house, tmp_path, host):
    nginx = place(tmp_path / "nginx")
    headers = f"""proxy_set_header {host}; proxy_set_header X-Forwarded-Proto https;
      proxy_set_header X-Forwarded-Prefix /sluice;"""
    with sluice_behind(nginx, house, "--allow-host", "backup.example.org") as server:
        (nginx / "back.sock").chmod(0o666)
        with running(nginx, f"proxy_pass http://unix:{nginx}/back.sock:; {headers}"):
            with Connection(nginx / "front.sock") as client:
                page = Page(client.answer("GET", "/").body.decode())
        bad = fetched(server, X_Forwarded_Host="evil'$(x)", X_Forwarded_Prefix="//evil.example/'", X_Forwarded_Proto="ftp")
    assert "'https://backup.example.org/sluice/api/backup'" in "".join(page.texts)
    assert "'http://localhost/api/backup'" in "".join(bad.texts)


# In a browser.


@pytest.fixture(scope="module")
def window(tmp_path_factory):
    chromium.require()
    directory = tmp_path_factory.mktemp("browser")
    with chromium.browser(directory) as window:
        window.directory = directory
        yield window


@pytest.fixture(autouse=True)
def nothing_went_wrong(request):
    yield
    if "window" in request.fixturenames:
        # A page that stays open asks on when its server has ended: for the status, or for the page if a backup has ended just before.
        expected = [re.compile("(status.json.*|/) - .*ERR_CONNECTION_REFUSED"), *map(re.compile, getattr(request.node, "expected", ()))]
        problems = request.getfixturevalue("window").problems()
        assert [each for each in problems if not any(word.search(each) for word in expected)] == []


WIDTHS = (320, 704, 705, 784, 785, 800, 991, 992, 1600)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_no_layout_is_wider_than_the_window(hostile, window, dark):
    make.ledger(hostile / "settings.db", make.ROLLBACK, accounts=1)
    with serve(hostile) as server, server.connect(receive_buffer=4096) as client:
        client.begin("/api/backup?compression=store").read(1000)
        assert server.get("/api/backup").status == 200
        for width in WIDTHS:
            window.shape(width, 800, dark)
            window.driver.get(server.url)
            window.run("for (const each of document.querySelectorAll('details')) each.open = true")
            assert window.run("return document.documentElement.scrollWidth") <= width
            assert window.run(CONTRAST) == []


def test_figures_of_many_digits_fit_as_well(tmp_path, window):
    house = tmp_path / "house"
    house.mkdir()
    os.truncate(small(house / "large.db"), 12_345_678_901)
    application = make.bulk(house / "busy.db", make.WAL, 1, open=True)
    os.truncate(house / "busy.db-wal", 12_345_678_901)
    with serve(house) as server:
        for width in WIDTHS:
            window.shape(width, 800)
            window.driver.get(server.url)
            assert window.run("return document.documentElement.scrollWidth") <= width
            window.run("for (const each of document.querySelectorAll('details')) each.open = true")
            assert window.run("return document.documentElement.scrollWidth") <= width
    application.close()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_page_of_several_services_is_as_legible(hostile, window, tmp_path, dark):
    page, plain = tmp_path / "page.html", tmp_path / "plain"
    plain.mkdir()
    small(plain / "one.db")
    (hostile / ("m" * 90 + ".db")).symlink_to("nowhere")
    with serve(hostile) as server, serve(plain) as other:
        assert other.get("/api/backup").status == 200
        run("status", server.url, other.url, "unix:/" + "n" * 90, "--page", page)
    for width in WIDTHS:
        window.shape(width, 800, dark)
        window.driver.get(f"file://{page}")
        assert window.run("return document.documentElement.scrollWidth") <= width
        assert window.run(CONTRAST) == [] and len(window.run("return [...document.querySelectorAll('tbody tr')]")) == 3


# The texts whose contrast with what lies under them is less than WCAG 2.2 asks for.
CONTRAST = """
  const channels = text => text.match(/[\\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => [r, g, b].map(v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, at) => sum + v * [0.2126, 0.7152, 0.0722][at], 0);
  const under = element => {
    for (; element; element = element.parentElement) {
      const colour = channels(getComputedStyle(element).backgroundColor);
      if (colour.length < 4 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const found = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || /^(SCRIPT|STYLE|TITLE|title)$/.test(element.tagName) || !element.checkVisibility()) continue;
    const pair = [luminance(channels(getComputedStyle(element).color)), luminance(under(element))].sort((a, b) => b - a);
    const contrast = (pair[0] + 0.05) / (pair[1] + 0.05);
    if (contrast < 4.5) found.push([element.className, walker.currentNode.data.slice(0, 30), contrast]);
  }
  return found;
"""


def test_everything_has_a_name_and_can_be_reached_by_keyboard(house, window):
    (house / "link.db").symlink_to("events.db")
    with serve(house) as server, server.connect(receive_buffer=4096) as client:
        client.begin("/api/backup?compression=store").read(1000)
        assert server.get("/api/backup").status == 200
        for width in (320, 1600):
            window.shape(width, 900)
            window.driver.get(server.url)
            nodes = [node for node in window.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"] if not node["ignored"]]
            roles = [node["role"]["value"] for node in nodes]
            # The table of the last backups is closed.
            assert [roles.count(role) for role in ("main", "banner", "contentinfo", "progressbar")] == [1, 1, 1, 1]
            assert roles.count("table") == 3 and roles.count("columnheader") >= 12 and roles.count("rowheader") >= 5
            for node in nodes:
                role = node["role"]["value"]
                if role in ("link", "button", "progressbar", "table", "region", "image", "img", "DisclosureTriangle", "heading"):
                    assert node["name"]["value"].strip(), node
            order = window.run(
                "return [...document.querySelectorAll('a[href], summary')].map(e => e.getAttribute('href') || e.parentElement.id)"
            )
            reached = []
            for _ in order:
                window.driver.switch_to.active_element.send_keys("\ue004")  # Tab
                reached.append(window.run("const e = document.activeElement; return e.getAttribute('href') || e.parentElement.id"))
            assert reached == order and len(order) > 10
            assert order[0] == "#databases"


def test_a_slow_download_moves_and_its_end_is_shown(reservoir, window):
    window.shape(800, 900)
    with serve(reservoir) as server, server.connect(receive_buffer=4096) as client:
        window.driver.get(server.url)
        response = client.begin("/api/backup?compression=store")
        response.read(2 << 20)
        value = "return document.querySelector('progress')?.value"
        first = wait_until(lambda: window.run(value), "it appears")
        response.read(20 << 20)
        wait_until(lambda: (window.run(value) or 0) > first + 200, "it moves")
        assert "Live: 1 under way" in window.text()
        response.read()
        wait_until(lambda: "No backup runs" in window.text(), "its end is shown")
        assert "complete" in window.text() and window.run("return document.querySelectorAll('rect').length") == 3


def test_a_click_downloads_everything_or_one_database(hostile, window):
    window.shape(800, 900)
    window.driver.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(window.directory)})

    def downloaded():
        """It has its name before its content."""
        return next(filter(zipfile.is_zipfile, window.directory.glob("*.zip")), None)

    with serve(hostile) as server:
        window.driver.get(server.url)
        for text, entries in (("Download everything", len(NAMES)), ("Download", 1)):
            link = next(each for each in window.driver.find_elements("css selector", "a.button") if each.text.startswith(text))
            if entries == 1:
                link = window.driver.find_elements("css selector", "a.small")[0]
            link.click()
            path = wait_until(downloaded, "a download")
            assert len([name for name in Archive(path.read_bytes()).names if name.endswith(".db")]) == entries
            path.unlink()
            assert window.driver.current_url == server.url + "/"


def test_a_wrong_token_shows_no_page(house, tmp_path, window, request):
    request.node.expected = ["401"]
    (tmp_path / "tokens").write_text(FIRST + "\n")
    with serve(house, "--token-file", tmp_path / "tokens") as server:
        for password, shown in (("wrong", False), (FIRST, True)):
            window.driver.get(server.url.replace("http://", f"http://user:{password}@"))
            assert ("events.db" in window.text()) == shown
        # The script's own requests have it, too.
        wait_until(lambda: window.run("return document.getElementById('live').textContent") == "Live", "it is live")


def test_a_service_that_is_started_again_goes_on(house, window):
    live = "return document.getElementById('live').textContent"
    with serve(house) as server:
        window.driver.get(server.url)
        wait_until(lambda: window.run(live) == "Live", "it is live")
        port = server.ports[0]
    window.run("document.dispatchEvent(new Event('visibilitychange'))")
    wait_until(lambda: window.run(live).startswith("No answer"), "it is gone")
    with serve(house, listen=(f"127.0.0.1:{port}",)) as server:
        assert server.get("/api/backup").status == 200
        window.run("document.dispatchEvent(new Event('visibilitychange'))")
        wait_until(lambda: window.run(live) == "Live", "it is back")
        wait_until(lambda: window.run("return document.querySelectorAll('rect').length") == 3, "it shows what is new")
        window.driver.get("about:blank")


# The password is "secret": RFC 2307's {SHA}.
ENTRY = "ada:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n"


@pytest.mark.parametrize("protected", [False, True])
def test_it_works_under_a_path_of_a_proxy(house, tmp_path, window, protected):
    nginx = place(tmp_path / "nginx")
    (nginx / "users").write_text(ENTRY)
    (nginx / "users").chmod(0o644)
    login = f"auth_basic backups; auth_basic_user_file {nginx}/users;" if protected else ""
    [port] = free_ports(1)
    server = f"""location /sluice/ {{ {login} proxy_pass http://unix:{nginx}/back.sock:/; proxy_set_header Host localhost; }}
      listen 127.0.0.1:{port};"""
    with sluice_behind(nginx, house), running(nginx, "return 404;", server):
        (nginx / "back.sock").chmod(0o666)
        window.driver.get(f"http://{'ada:secret@' if protected else ''}127.0.0.1:{port}/sluice/")
        user = " -u ada" if protected else ""
        assert f"curl -fo backup.new{user} 'http://127.0.0.1:{port}/sluice/api/backup'" in window.text()
        wait_until(lambda: window.run("return document.getElementById('live').textContent") == "Live", "it is live")
        paths = window.run("return [...document.querySelectorAll('a.button')].map(e => e.pathname)")
        assert set(paths) == {"/sluice/api/backup"} and len(paths) > 2
        fetch = "return fetch(location.origin + arguments[0]).then(async answer => (await answer.arrayBuffer()) && answer.status)"
        assert window.run(fetch, paths[0]) == 200


@pytest.mark.measures
def test_the_first_paint_is_soon(house, window, figure):
    with serve(house) as server:
        server.get("/")
        paints, weights = [], []
        for _ in range(7):
            window.driver.get("about:blank")
            window.driver.get_log("performance")
            window.driver.get(server.url)
            paint = "return performance.getEntriesByType('paint').find(e => e.name === 'first-contentful-paint')?.startTime"
            paints.append(wait_until(lambda: window.run(paint), "a paint"))
            events = [json.loads(entry["message"])["message"] for entry in window.driver.get_log("performance")]
            asked = [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]
            assert len([url for url in asked if url.startswith("http")]) <= 3
            weights.append(window.run("return performance.getEntriesByType('navigation')[0].transferSize"))
    figure("first paint of the page on loopback, the soonest and the median, in milliseconds", [round(min(paints)), round(sorted(paints)[3])])
    figure("bytes of the page", weights[0])
    assert max(weights) < HEAVIEST


@pytest.mark.slow
@pytest.mark.measures
def test_a_page_that_stays_open_costs_nothing_that_grows(reservoir, window, figure):
    """Beside backups, for SOAK seconds: the memory of the server and of the page, and how soon it answers."""
    seconds = float(os.environ.get("SOAK", 60))
    ended = threading.Event()

    def back_up():
        # An hour is to show what grows with time, and not to keep a machine busy.
        while not ended.wait(max(0.2, seconds / 1800)):
            assert server.get("/api/backup").status == 200

    def heap():
        window.driver.execute_cdp_cmd("HeapProfiler.collectGarbage", {})
        metrics = {each["name"]: each["value"] for each in window.driver.execute_cdp_cmd("Performance.getMetrics", {})["metrics"]}
        return metrics["JSHeapUsedSize"], metrics["Nodes"]

    with serve(reservoir) as server:
        # What the page shows is all there from the beginning.
        for _ in range(30):
            assert server.get("/api/backup").status == 200
        window.driver.execute_cdp_cmd("Performance.enable", {})
        window.driver.get(server.url)
        client = threading.Thread(target=back_up)
        client.start()
        try:
            times, marks, start = [], [], time.monotonic()
            while (passed := time.monotonic() - start) < seconds:
                begun = time.monotonic()
                assert server.get("/healthz").status == 200
                times.append(time.monotonic() - begun)
                if passed > seconds * (0.25 + 0.25 * len(marks)):
                    marks.append((server.resident_kib(), *heap()))
                time.sleep(0.02)
            marks.append((server.resident_kib(), *heap()))
        finally:
            ended.set()
            client.join()
        assert window.run("return document.querySelectorAll('rect').length") == 90
        # Lest the server's end cut off what the page asks for.
        window.driver.get("about:blank")
    times.sort()
    figure("p99 of /healthz beside a page and backups, in milliseconds", round(times[len(times) * 99 // 100] * 1000, 1))
    figure("KiB of the server, bytes and nodes of the page, at each quarter", marks)
    # Alone on a machine it is below 10 ms; what else runs there may delay it, and a loop that blocks would delay it by more.
    assert times[len(times) * 99 // 100] < 0.100
    first, last = marks[0], marks[-1]
    assert last[0] < first[0] * 1.1 + 2048 and last[1] < first[1] * 1.5 and last[2] < first[2] * 1.5
