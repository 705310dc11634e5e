"""Debian's chromium, driven by its own driver, without a window."""

import os
import shutil
from contextlib import contextmanager

import pytest


def why_not():
    """Why there is no browser here; nothing if there is one."""
    missing = [name for name in ("chromium", "chromedriver") if not shutil.which(name)]
    try:
        import selenium  # noqa: F401
    except ImportError:
        missing.append("python3-selenium")
    return f"not installed: {', '.join(missing)}" if missing else None


class Browser:
    def __init__(self, driver):
        self.driver = driver

    def shape(self, width, height, dark=False):
        """A window's size in CSS pixels, and the theme that its user has."""
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500},
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})

    def screenshot(self, path, whole=True):
        """The whole page, however long it is."""
        import base64

        picture = self.driver.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": whole})
        path.write_bytes(base64.b64decode(picture["data"]))

    def problems(self):
        """What it wrote to its console since the last call: scripts that failed, what the policy blocked, what was not there."""
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def text(self):
        return self.run("return document.body.innerText")


@contextmanager
def browser(directory, scripts=True):
    """A browser of its own, whose downloads go to a directory."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for argument in (
        "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", f"--user-data-dir={directory}/profile",
    ):  # fmt: skip
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    options.add_experimental_option(
        "prefs",
        {"download.default_directory": str(directory), "profile.managed_default_content_settings.javascript": 1 if scripts else 2},
    )
    service = Service(shutil.which("chromedriver"), env=os.environ | {"HOME": str(directory)})
    driver = webdriver.Chrome(service=service, options=options)
    try:
        driver.set_page_load_timeout(20)
        yield Browser(driver)
    finally:
        driver.quit()


def require():
    """Where the tests must count, one that does not run is one that fails."""
    if reason := why_not():
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)
