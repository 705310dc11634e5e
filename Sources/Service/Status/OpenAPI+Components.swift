extension OpenAPI {
  /// What the paths share, as it stands in the document.
  static let components = #"""
      "components": {
        "securitySchemes": {
          "bearer": {"type": "http", "scheme": "bearer", "description": "A token of the service, if it has any."},
          "basic": {"type": "http", "scheme": "basic", "description": "The token is the password; the user name is ignored."}
        },
        "responses": {
          "Problem": {
            "description": "Why not; detail says what to do.",
            "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
          },
          "Unauthorized": {
            "description": "No token, or none of the service's.",
            "headers": {"WWW-Authenticate": {"schema": {"type": "string"}}},
            "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
          },
          "HeadProblem": {"description": "Why not, without content."},
          "HeadUnauthorized": {
            "description": "No token, or none of the service's.",
            "headers": {"WWW-Authenticate": {"schema": {"type": "string"}}}
          }
        },
        "schemas": {
          "Problem": {
            "type": "object",
            "description": "RFC 9457",
            "required": ["type", "title", "status", "detail"],
            "properties": {
              "type": {"type": "string"},
              "title": {"type": "string"},
              "status": {"type": "integer", "minimum": 400, "maximum": 599},
              "detail": {"type": "string"}
            }
          },
          "Health": {
            "type": "object",
            "required": ["status", "version", "uptime_seconds", "running_backups", "last_backup", "last_complete"],
            "properties": {
              "status": {"enum": ["ok", "degraded", "failing"]},
              "detail": {"type": "string"},
              "version": {"type": "string"},
              "uptime_seconds": {"type": "integer", "minimum": 0},
              "running_backups": {"type": "integer", "minimum": 0},
              "last_backup": {"type": ["object", "null"]},
              "last_complete": {"type": ["object", "null"]}
            }
          },
          "Status": {
            "title": "Status of a sluice service: GET /status.json",
            "description": "Format 1. Later versions may add members. Times are seconds since 1970, sizes are bytes.",
            "type": "object",
            "required": [
              "format",
              "name",
              "version",
              "status",
              "detail",
              "time",
              "uptime_seconds",
              "needs_token",
              "maximum_backups",
              "tag",
              "last_complete",
              "under_way",
              "history",
              "directory"
            ],
            "properties": {
              "format": {"const": 1},
              "name": {"type": "string", "description": "The application's name: --name, or the data directory's own."},
              "version": {"type": "string", "description": "Of sluice."},
              "status": {"enum": ["ok", "degraded", "failing"], "description": "As in /healthz."},
              "detail": {"type": ["string", "null"], "description": "Why, if status is not ok."},
              "time": {"type": "integer", "minimum": 0, "description": "Now, by the server's clock."},
              "uptime_seconds": {"type": "integer", "minimum": 0},
              "needs_token": {"type": "boolean"},
              "maximum_backups": {"type": "integer", "minimum": 1},
              "tag": {
                "type": "string",
                "description": "Changes when a backup begins, ends, or is suspended or resumed; not while it makes progress."
              },
              "last_complete": {
                "description": "The last complete backup; null if none is known.",
                "anyOf": [
                  {"type": "null"},
                  {
                    "type": "object",
                    "required": ["ended", "databases", "bytes", "snapshot_skew_ms"],
                    "properties": {
                      "ended": {"type": "integer", "minimum": 0},
                      "databases": {"type": "integer", "minimum": 0},
                      "bytes": {"type": ["integer", "null"], "minimum": 0},
                      "snapshot_skew_ms": {"type": ["integer", "null"], "minimum": 0}
                    }
                  }
                ]
              },
              "under_way": {
                "description": "Backups that run, then those that are suspended for a client that was lost.",
                "type": "array",
                "items": {
                  "type": "object",
                  "required": [
                    "id",
                    "client",
                    "phase",
                    "scope",
                    "age_seconds",
                    "sent_bytes",
                    "archive_bytes",
                    "read_bytes",
                    "content_bytes",
                    "progress_permille",
                    "snapshot_age_seconds",
                    "wal_growth_bytes",
                    "resumable_seconds"
                  ],
                  "properties": {
                    "id": {"type": "string", "description": "As in the log's field backup."},
                    "client": {"type": "string"},
                    "phase": {"enum": ["preparing", "sending", "suspended"]},
                    "scope": {"enum": ["directory", "selection"]},
                    "age_seconds": {"type": "integer", "minimum": 0},
                    "sent_bytes": {"type": "integer", "minimum": 0},
                    "archive_bytes": {
                      "type": ["integer", "null"],
                      "minimum": 0,
                      "description": "Null if the archive is compressed: only its end tells."
                    },
                    "read_bytes": {
                      "type": "integer",
                      "minimum": 0,
                      "description": "Of content_bytes, to the second; a little ahead of the client."
                    },
                    "content_bytes": {"type": ["integer", "null"], "minimum": 0, "description": "Uncompressed."},
                    "progress_permille": {"type": ["integer", "null"], "minimum": 0, "maximum": 1000},
                    "snapshot_age_seconds": {"type": ["integer", "null"], "minimum": 0, "description": "Null if no snapshot is held."},
                    "wal_growth_bytes": {"type": "integer", "minimum": 0},
                    "resumable_seconds": {
                      "type": ["integer", "null"],
                      "minimum": 0,
                      "description": "For how long the client may still resume it, if it is suspended."
                    }
                  }
                }
              },
              "history": {
                "description": "The last 30 backups that ended, the newest last.",
                "type": "array",
                "maxItems": 30,
                "items": {
                  "type": "object",
                  "required": [
                    "ended",
                    "outcome",
                    "reason",
                    "scope",
                    "bytes",
                    "duration_ms",
                    "databases",
                    "skipped",
                    "snapshot_skew_ms"
                  ],
                  "properties": {
                    "ended": {"type": "integer", "minimum": 0},
                    "outcome": {"enum": ["complete", "incomplete", "ranges", "failed"]},
                    "reason": {"type": ["string", "null"], "description": "Why it failed, in one word."},
                    "scope": {"enum": ["directory", "selection"]},
                    "bytes": {"type": "integer", "minimum": 0, "description": "As sent."},
                    "duration_ms": {"type": "integer", "minimum": 0},
                    "databases": {"type": ["integer", "null"], "minimum": 0},
                    "skipped": {"type": ["integer", "null"], "minimum": 0},
                    "snapshot_skew_ms": {"type": ["integer", "null"], "minimum": 0}
                  }
                }
              },
              "directory": {
                "description": "What a backup would take and skip, at most 30 s old; null with ?directory=0.",
                "anyOf": [
                  {"type": "null"},
                  {
                    "type": "object",
                    "required": ["problem", "listed", "databases", "files", "file_bytes", "skipped", "excluded"],
                    "properties": {
                      "problem": {"type": ["string", "null"], "description": "Why there is no listing, or only an older one."},
                      "listed": {"type": ["integer", "null"], "minimum": 0},
                      "databases": {
                        "type": "array",
                        "items": {
                          "type": "object",
                          "required": ["path", "bytes", "journal_mode", "wal_bytes", "last_backup"],
                          "properties": {
                            "path": {"type": "string"},
                            "bytes": {"type": "integer", "minimum": 0, "description": "Of the file, without its WAL."},
                            "journal_mode": {
                              "type": "string",
                              "description": "wal, or delete for every mode with a rollback journal."
                            },
                            "wal_bytes": {"type": "integer", "minimum": 0, "description": "Of the -wal file."},
                            "last_backup": {
                              "type": ["integer", "null"],
                              "minimum": 0,
                              "description": "When a client last had this database; null if that is not known."
                            }
                          }
                        }
                      },
                      "files": {"type": "integer", "minimum": 0, "description": "Other files that a backup takes."},
                      "file_bytes": {"type": "integer", "minimum": 0},
                      "skipped": {
                        "type": "array",
                        "items": {
                          "type": "object",
                          "required": ["path", "reason", "detail"],
                          "properties": {
                            "path": {"type": "string"},
                            "reason": {"type": "string", "description": "docs/troubleshooting.md lists them."},
                            "detail": {"type": "string", "description": "For people: why, and what to do about it."}
                          }
                        }
                      },
                      "excluded": {"type": "array", "items": {"type": "string"}}
                    }
                  }
                ]
              }
            }
          }
        }
      }
    """#
}
