extension OpenAPI {
  /// The path of a backup, as it stands in the document.
  static let backup = #"""
        "/api/backup": {
          "get": {
            "operationId": "backup",
            "summary": "One zip of the data directory",
    \#(backupParameters)
            "security": [{}, {"bearer": []}, {"basic": []}],
            "responses": {
              "200": {
                "description": "An archive from its first byte, made as fast as the client reads it. An archive that cannot be finished ends in a connection reset.",
                "headers": {
                  "ETag": {"description": "The state of all that went in, and this archive.", "schema": {"type": "string"}},
                  "Sluice-Skipped": {
                    "description": "What could not be taken: NAME;reason=REASON, names percent-encoded.",
                    "schema": {"type": "string"}
                  }
                },
                "content": {"application/zip": {}}
              },
              "206": {
                "description": "A range of an archive that the service holds.",
                "headers": {
                  "ETag": {"description": "The state of all that went in, and this archive.", "schema": {"type": "string"}},
                  "Sluice-Skipped": {
                    "description": "What could not be taken: NAME;reason=REASON, names percent-encoded.",
                    "schema": {"type": "string"}
                  },
                  "Content-Range": {"schema": {"type": "string"}}
                },
                "content": {"application/zip": {}}
              },
              "226": {
                "description": "A delta to an archive that the client has: RFC 3229.",
                "headers": {
                  "ETag": {"description": "The state of all that went in, and this archive.", "schema": {"type": "string"}},
                  "Sluice-Skipped": {
                    "description": "What could not be taken: NAME;reason=REASON, names percent-encoded.",
                    "schema": {"type": "string"}
                  },
                  "IM": {"schema": {"type": "string"}},
                  "Delta-Base": {"schema": {"type": "string"}}
                },
                "content": {"application/zip": {}}
              },
              "304": {
                "description": "The client has an archive of the present state.",
                "headers": {"ETag": {"schema": {"type": "string"}}}
              },
              "400": {"$ref": "#/components/responses/Problem"},
              "401": {"$ref": "#/components/responses/Unauthorized"},
              "404": {"$ref": "#/components/responses/Problem"},
              "405": {"$ref": "#/components/responses/Problem"},
              "408": {"$ref": "#/components/responses/Problem"},
              "412": {"$ref": "#/components/responses/Problem"},
              "413": {"$ref": "#/components/responses/Problem"},
              "414": {"$ref": "#/components/responses/Problem"},
              "416": {"$ref": "#/components/responses/Problem"},
              "417": {"$ref": "#/components/responses/Problem"},
              "421": {"$ref": "#/components/responses/Problem"},
              "428": {"$ref": "#/components/responses/Problem"},
              "431": {"$ref": "#/components/responses/Problem"},
              "500": {"$ref": "#/components/responses/Problem"},
              "503": {"$ref": "#/components/responses/Problem"}
            }
          },
          "head": {
            "operationId": "backupHead",
            "summary": "The fields of the same answer",
    \#(backupParameters)
            "security": [{}, {"bearer": []}, {"basic": []}],
            "responses": {
              "200": {
                "description": "An archive from its first byte, made as fast as the client reads it. An archive that cannot be finished ends in a connection reset.",
                "headers": {
                  "ETag": {"description": "The state of all that went in, and this archive.", "schema": {"type": "string"}},
                  "Sluice-Skipped": {
                    "description": "What could not be taken: NAME;reason=REASON, names percent-encoded.",
                    "schema": {"type": "string"}
                  }
                }
              },
              "206": {
                "description": "A range of an archive that the service holds.",
                "headers": {
                  "ETag": {"description": "The state of all that went in, and this archive.", "schema": {"type": "string"}},
                  "Sluice-Skipped": {
                    "description": "What could not be taken: NAME;reason=REASON, names percent-encoded.",
                    "schema": {"type": "string"}
                  },
                  "Content-Range": {"schema": {"type": "string"}}
                }
              },
              "226": {
                "description": "A delta to an archive that the client has: RFC 3229.",
                "headers": {
                  "ETag": {"description": "The state of all that went in, and this archive.", "schema": {"type": "string"}},
                  "Sluice-Skipped": {
                    "description": "What could not be taken: NAME;reason=REASON, names percent-encoded.",
                    "schema": {"type": "string"}
                  },
                  "IM": {"schema": {"type": "string"}},
                  "Delta-Base": {"schema": {"type": "string"}}
                }
              },
              "304": {
                "description": "The client has an archive of the present state.",
                "headers": {"ETag": {"schema": {"type": "string"}}}
              },
              "400": {"$ref": "#/components/responses/HeadProblem"},
              "401": {"$ref": "#/components/responses/HeadUnauthorized"},
              "404": {"$ref": "#/components/responses/HeadProblem"},
              "405": {"$ref": "#/components/responses/HeadProblem"},
              "408": {"$ref": "#/components/responses/HeadProblem"},
              "412": {"$ref": "#/components/responses/HeadProblem"},
              "413": {"$ref": "#/components/responses/HeadProblem"},
              "414": {"$ref": "#/components/responses/HeadProblem"},
              "416": {"$ref": "#/components/responses/HeadProblem"},
              "417": {"$ref": "#/components/responses/HeadProblem"},
              "421": {"$ref": "#/components/responses/HeadProblem"},
              "428": {"$ref": "#/components/responses/HeadProblem"},
              "431": {"$ref": "#/components/responses/HeadProblem"},
              "500": {"$ref": "#/components/responses/HeadProblem"},
              "503": {"$ref": "#/components/responses/HeadProblem"}
            }
          }
        },
    """#

  /// Those of both methods.
  private static let backupParameters = #"""
            "parameters": [
              {
                "name": "db",
                "in": "query",
                "description": "The paths of databases in the archive; everything if there is none.",
                "schema": {"type": "array", "items": {"type": "string"}},
                "style": "form",
                "explode": true
              },
              {
                "name": "compression",
                "in": "query",
                "description": "store does not compress: the length is known, and any range can be requested.",
                "schema": {"enum": ["store", "fast", "default", "best"]}
              },
              {
                "name": "strict",
                "in": "query",
                "description": "1: 503 instead of an archive from which something would be missing.",
                "schema": {"enum": ["0", "1"]}
              },
              {
                "name": "resume",
                "in": "query",
                "description": "A name by which this one archive can be resumed.",
                "schema": {"type": "string", "minLength": 1}
              },
              {
                "name": "Range",
                "in": "header",
                "description": "A part of an archive; needs If-Range, If-Match or resume unless it begins with the first byte.",
                "schema": {"type": "string"}
              },
              {
                "name": "If-Range",
                "in": "header",
                "description": "With Range: the rest of the archive with this tag, or a new one.",
                "schema": {"type": "string"}
              },
              {
                "name": "If-Match",
                "in": "header",
                "description": "With Range: only the archive with this tag.",
                "schema": {"type": "string"}
              },
              {
                "name": "If-None-Match",
                "in": "header",
                "description": "304 if nothing has changed since the archive with this tag.",
                "schema": {"type": "string"}
              },
              {
                "name": "A-IM",
                "in": "header",
                "description": "vcdiff, with If-None-Match: a delta to the archive with this tag, if it is of use.",
                "schema": {"type": "string"}
              }
            ],
    """#
}
