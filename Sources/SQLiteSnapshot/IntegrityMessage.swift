import CSQLite

/// What the messages of `PRAGMA integrity_check` mean, by SQLite's own words for them.
enum IntegrityMessage {
  /// Whether a message lists what is wrong with pages: all of that comes in one.
  static func isOfPages(_ message: String) -> Bool { begins(message, with: "*** in database ") }

  /// `pragma.c`: what a table's definition demands of its rows, and an earlier definition, another version of SQLite or a
  /// check that was switched off did not.
  static func isRuleOfContent(_ message: String) -> Bool {
    ["NULL value in ", "NUMERIC value in ", "TEXT value in ", "CHECK constraint failed in "].contains {
      begins(message, with: $0)
    }
      || begins(message, with: "non-")
        && message.utf8.dropFirst(4).drop { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) }.starts(
          with: " value in ".utf8)
  }

  /// By bytes: a name that a combining mark begins makes another Character of the space before it.
  static func begins(_ message: String, with words: String) -> Bool {
    message.utf8.starts(with: words.utf8)
  }

  /// `checkList` and `checkTreePage` of SQLite's `btree.c` report a page that cannot be read, for want of memory or by an error
  /// of the disk, as they report damage.
  ///
  /// - Throws: `SQLITE_IOERR` if a message reports nothing else.
  static func checkReading(_ message: String) throws(SQLiteError) {
    let lines = message.split(separator: "\n").filter { !isOfPages(String($0)) }
    let isUnread = lines.allSatisfy { line in
      line.contains("failed to get page ")
        || line.contains("unable to get the page. error code=") && !line.hasSuffix("=\(SQLITE_CORRUPT)")
    }
    guard isUnread, !lines.isEmpty else { return }
    throw SQLiteError(code: SQLITE_IOERR, message: "it could not be read to its end: \(lines[0])")
  }

  /// What follows words, or words, a number and more words.
  static func rest(of message: String, after start: String, _ end: String = "") -> String? {
    guard begins(message, with: start) else { return nil }
    var rest = message.utf8.dropFirst(start.utf8.count)
    if !end.isEmpty {
      rest = rest.drop(while: "-0123456789".utf8.contains)
      guard rest.starts(with: end.utf8) else { return nil }
      rest = rest.dropFirst(end.utf8.count)
    }
    return String(decoding: rest, as: UTF8.self)
  }
}

extension SQLiteError {
  /// Whether an error says of the schema, and not of the bytes, that SQLite cannot go on.
  var isUnjudged: Bool {
    switch code & 0xff {
    case SQLITE_ERROR, SQLITE_TOOBIG, SQLITE_NOMEM, SQLITE_AUTH, SQLITE_RANGE, SQLITE_SCHEMA: true
    default: isOfSchema
    }
  }

  /// Whether the schema, or a part of it, cannot be understood.
  var isOfSchema: Bool {
    IntegrityMessage.begins(message, with: "malformed database schema")
  }

  /// The function that SQLite missed; nil if it is another error.
  var unknownFunction: String? {
    let words = "unknown function: "
    guard IntegrityMessage.begins(message, with: words), message.utf8.suffix(2).elementsEqual("()".utf8)
    else {
      return nil
    }
    return String(decoding: message.utf8.dropFirst(words.utf8.count).dropLast(2), as: UTF8.self)
  }
}
