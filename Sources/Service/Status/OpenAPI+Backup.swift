extension OpenAPI {
  /// What every answer with an archive has.
  private static let archiveFields = #"""
                  "ETag": {"description": "The state of all that went in, and this archive.", "schema": {"type": "string"}},
                  "Sluice-Skipped": {
                    "description": "What could not be taken: NAME;reason=REASON, names percent-encoded.",
                    "schema": {"type": "string"}
                  }
    """#

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
    \#(archiveFields)
                },
                "content": {"application/zip": {}}
              },
              "206": {
                "description": "A range of an archive that the service holds.",
                "headers": {
    \#(archiveFields),
                  "Content-Range": {"schema": {"type": "string"}}
                },
                "content": {"application/zip": {}}
              },
              "226": {
                "description": "A delta to an archive that the client has: RFC 3229.",
                "headers": {
    \#(archiveFields),
                  "IM": {"schema": {"type": "string"}},
                  "Delta-Base": {"schema": {"type": "string"}}
                },
                "content": {"application/zip": {}}
              },
              "304": {
                "description": "The client has an archive of the present state.",
                "headers": {"ETag": {"schema": {"type": "string"}}}
              },
    \#(refusals([400, 401, 404, 405, 408, 412, 413, 414, 416, 417, 421, 428, 431, 500, 503]))
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
    \#(archiveFields)
                }
              },
              "206": {
                "description": "A range of an archive that the service holds.",
                "headers": {
    \#(archiveFields),
                  "Content-Range": {"schema": {"type": "string"}}
                }
              },
              "226": {
                "description": "A delta to an archive that the client has: RFC 3229.",
                "headers": {
    \#(archiveFields),
                  "IM": {"schema": {"type": "string"}},
                  "Delta-Base": {"schema": {"type": "string"}}
                }
              },
              "304": {
                "description": "The client has an archive of the present state.",
                "headers": {"ETag": {"schema": {"type": "string"}}}
              },
    \#(refusals([400, 401, 404, 405, 408, 412, 413, 414, 416, 417, 421, 428, 431, 500, 503], isHead: true))
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
