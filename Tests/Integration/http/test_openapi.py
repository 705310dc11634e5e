"""`/openapi.json`: it describes every route, and no answer of the service is outside of it."""

import json
import os
import re
import subprocess

import pytest

from harness import ROOT, serve
from pypi import installed

PACKAGES = ["schemathesis==4.32.5", "openapi-spec-validator==0.9.0"]
# Requests for each operation, drawn by lot.
EXAMPLES = int(os.environ.get("API_EXAMPLES", 12))
# The ways in which an answer can be outside of the document. What a valid value means is not in it: a database that is not
# there is 404.
CHECKS = ("not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance",
          "response_headers_conformance", "unsupported_method", "negative_data_rejection")  # fmt: skip


@pytest.fixture(scope="module")
def python():
    return installed("api", PACKAGES, timeout=300)


def test_its_schema_of_the_status_is_that_of_the_documents(house):
    with serve(house) as server:
        document = server.get("/openapi.json").json()
    schema = json.loads((ROOT / "docs/status.schema.json").read_text())
    assert document["components"]["schemas"]["Status"] == {name: part for name, part in schema.items() if name != "$schema"}
    assert document["info"]["version"] == re.search('version = "(.*)"', (ROOT / "Sources/Service/Host/Version.swift").read_text())[1]


def test_it_has_every_route(house):
    routes = set(re.findall(r'(?:case|path ==) "(/[^"]*)"', (ROOT / "Sources/Service/Endpoints/Routes.swift").read_text()))
    with serve(house) as server:
        paths = server.get("/openapi.json").json()["paths"]
        assert paths.keys() == routes and len(routes) == 6
        for path in paths:
            answer = server.get(path)
            documented = paths[path]["get"]["responses"]["200"]["content"]
            assert answer.headers["Content-Type"].partition(";")[0] in {name.partition(";")[0] for name in documented}
    page = (ROOT / "docs/http-api.md").read_text()
    assert all(f"| `{path}` |" in page for path in routes)


def test_it_is_openapi_and_every_answer_is_in_it(house, tmp_path, python, figure):
    with serve(house, "--resume-grace", "1s") as server:
        (tmp_path / "openapi.json").write_bytes(server.get("/openapi.json").body)
        subprocess.run([python, "-m", "openapi_spec_validator", tmp_path / "openapi.json"], check=True, capture_output=True)
        # A method that no RFC of HTTP has is 501: RFC 9110 §9.1. Those that it has are 405.
        methods = ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"]
        (tmp_path / "schemathesis.toml").write_text(f"[phases.coverage]\nunexpected-methods = {json.dumps(methods)}\n")
        command = [python.parent / "schemathesis", "--config-file", tmp_path / "schemathesis.toml", "run", tmp_path / "openapi.json", "--url", server.url, "--phases", "coverage,fuzzing",
                   "--max-examples", EXAMPLES, "--checks", ",".join(CHECKS), "--suppress-health-check", "all", "--seed", 1,
                   "--request-timeout", 20, "--generation-database", "none", "--no-color"]  # fmt: skip
        ended = subprocess.run([*map(str, command)], cwd=tmp_path, capture_output=True, text=True, timeout=1200)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        assert "panic" not in server.log
    cases = re.search(r"(\d+) generated", ended.stdout)
    figure("requests drawn from /openapi.json", cases and cases[1])
