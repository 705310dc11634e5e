/// `GET /openapi.json`: every route, for programs.
///
/// https://spec.openapis.org/oas/v3.1.0. The schema of the status is that of docs/status.schema.json.
package enum OpenAPI {
  package static let mediaType = "application/json"

  package static let content = Array(text.utf8)

  /// What an operation may answer if it refuses a request: a problem, and for 401 one that says how to authenticate.
  static func refusals(_ statuses: [Int], isHead: Bool = false) -> String {
    statuses.map { status in
      let name = (isHead ? "Head" : "") + (status == 401 ? "Unauthorized" : "Problem")
      return ##"          "\##(status)": {"$ref": "#/components/responses/\##(name)"}"##
    }.joined(separator: ",\n")
  }

  private static let text = #"""
    {
      "openapi": "3.1.0",
      "info": {
        "title": "sluice",
        "version": "\#(version)",
        "summary": "Consistent hot backups of a directory of SQLite databases.",
        "license": {"name": "Apache 2.0", "identifier": "Apache-2.0"}
      },
      "servers": [{"url": "."}],
      "paths": {
        "/": {
          "get": {
            "operationId": "page",
            "summary": "The status as a page for people",
            "parameters": [
              {
                "name": "from",
                "in": "query",
                "description": "The first database to show.",
                "schema": {"type": "integer", "minimum": 0, "maximum": 999999999}
              }
            ],
            "security": [{}, {"bearer": []}, {"basic": []}],
            "responses": {
              "200": {"description": "The page.", "content": {"text/html; charset=utf-8": {"schema": {"type": "string"}}}},
    \#(refusals([400, 401, 405, 408, 413, 414, 417, 421, 431]))
            }
          },
          "head": {
            "operationId": "pageHead",
            "summary": "The fields of the same answer",
            "parameters": [
              {
                "name": "from",
                "in": "query",
                "description": "The first database to show.",
                "schema": {"type": "integer", "minimum": 0, "maximum": 999999999}
              }
            ],
            "security": [{}, {"bearer": []}, {"basic": []}],
            "responses": {
              "200": {"description": "The page."},
    \#(refusals([400, 401, 405, 408, 413, 414, 417, 421, 431], isHead: true))
            }
          }
        },
        "/status.json": {
          "get": {
            "operationId": "status",
            "summary": "The status for programs",
            "parameters": [
              {
                "name": "directory",
                "in": "query",
                "description": "0 leaves out the databases, and everything that is read for them.",
                "schema": {"enum": ["0", "1"]}
              }
            ],
            "security": [{}, {"bearer": []}, {"basic": []}],
            "responses": {
              "200": {
                "description": "Everything that the service knows of itself.",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Status"}}}
              },
    \#(refusals([400, 401, 405, 408, 413, 414, 417, 421, 431]))
            }
          },
          "head": {
            "operationId": "statusHead",
            "summary": "The fields of the same answer",
            "parameters": [
              {
                "name": "directory",
                "in": "query",
                "description": "0 leaves out the databases, and everything that is read for them.",
                "schema": {"enum": ["0", "1"]}
              }
            ],
            "security": [{}, {"bearer": []}, {"basic": []}],
            "responses": {
              "200": {"description": "Everything that the service knows of itself."},
    \#(refusals([400, 401, 405, 408, 413, 414, 417, 421, 431], isHead: true))
            }
          }
        },
    \#(backup)
        "/healthz": {
          "get": {
            "operationId": "health",
            "summary": "Whether a backup can be made",
            "responses": {
              "200": {
                "description": "It can.",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Health"}}}
              },
    \#(refusals([400, 405, 408, 413, 414, 417, 421, 431])),
              "503": {
                "description": "It cannot, or every backup would be incomplete.",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Health"}}}
              }
            }
          },
          "head": {
            "operationId": "healthHead",
            "summary": "The fields of the same answer",
            "responses": {
              "200": {"description": "It can."},
    \#(refusals([400, 405, 408, 413, 414, 417, 421, 431], isHead: true)),
              "503": {"description": "It cannot, or every backup would be incomplete."}
            }
          }
        },
        "/metrics": {
          "get": {
            "operationId": "metrics",
            "summary": "Counters for Prometheus",
            "responses": {
              "200": {
                "description": "In the text format that Accept prefers.",
                "content": {
                  "text/plain; version=0.0.4; charset=utf-8": {"schema": {"type": "string"}},
                  "application/openmetrics-text; version=1.0.0; charset=utf-8": {"schema": {"type": "string"}}
                }
              },
    \#(refusals([400, 405, 408, 413, 414, 417, 421, 431]))
            }
          },
          "head": {
            "operationId": "metricsHead",
            "summary": "The fields of the same answer",
            "responses": {
              "200": {"description": "In the text format that Accept prefers."},
    \#(refusals([400, 405, 408, 413, 414, 417, 421, 431], isHead: true))
            }
          }
        },
        "/openapi.json": {
          "get": {
            "operationId": "description",
            "summary": "This document",
            "responses": {
              "200": {"description": "OpenAPI 3.1.", "content": {"application/json": {"schema": {"type": "object"}}}},
    \#(refusals([400, 405, 408, 413, 414, 417, 421, 431]))
            }
          },
          "head": {
            "operationId": "descriptionHead",
            "summary": "The fields of the same answer",
            "responses": {
              "200": {"description": "OpenAPI 3.1."},
    \#(refusals([400, 405, 408, 413, 414, 417, 421, 431], isHead: true))
            }
          }
        }
      },
    \#(components)
    }

    """#
}
