import FoundationEssentials
package import System

/// What a command remembers for the next one, in a small file of JSON.
package enum RecordFile {
  /// - Returns: nil if there is no such file.
  /// - Throws: `SmallFile.Failure`; `Unreadable`.
  package static func read<Record: Decodable>(
    _ type: Record.Type, _ path: String, atMost limit: Int
  ) throws -> Record? {
    let text: [UInt8]
    do throws(SmallFile.Failure) { text = try SmallFile.read(path, atMost: limit) } catch {
      guard !error.isMissing else { return nil }
      throw error
    }
    guard let record = try? JSONDecoder().decode(type, from: Data(text)) else { throw Unreadable() }
    return record
  }

  /// It is none that this version has written.
  package struct Unreadable: Error, CustomStringConvertible {
    package var description: String { "it is no record that this version can read" }
    package init() {}
  }

  /// Replaces the file: whatever happens, the old one or the new one is there. Only the directory's owner can read it, also where
  /// root writes it: a pull of that user reads it the next time.
  package static func write(_ record: some Encodable, _ path: String) throws(SystemError) {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    let text: Data
    do { text = try encoder.encode(record) } catch {
      fatalError("strings and numbers are always JSON: \(error)")
    }
    let path = BytePath(path)
    let folder = try Directory(path: path.parent ?? ".")
    let owner = try folder.status()
    try folder.replace(path.name, with: Array(text) + [UInt8(ascii: "\n")]) { (file) throws(SystemError) in
      try file.own(as: owner, permissions: 0o600)
    }
    // Some file systems cannot; the file itself is safe by then.
    try? folder.sync()
  }
}
