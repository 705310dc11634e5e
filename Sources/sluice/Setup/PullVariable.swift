import System

/// A variable of the environment on the command line: `NAME=VALUE`, or `NAME=@FILE`.
struct PullVariable {
  let name: String
  private let value: String

  /// In bytes, of a file's first line.
  private static let maximumLine = 64 << 10

  init?(_ argument: String) {
    let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2, let first = parts[0].utf8.first,
      !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first),
      parts[0].utf8.allSatisfy({ byte in
        byte == UInt8(ascii: "_") || byte < 0x80 && Character(UnicodeScalar(byte)).isLetter
          || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
      }), !parts[0].utf8.starts(with: "SLUICE_".utf8),
      !parts[1].utf8.contains(where: { $0 < 0x20 || $0 == 0x7F })
    else { return nil }
    name = String(parts[0])
    value = String(parts[1])
  }

  /// - Throws: a `Failure` that names the file.
  func content() throws(Failure) -> String {
    guard value.utf8.starts(with: "@".utf8) else { return value }
    let file = String(value.dropFirst())
    do {
      let line = try SmallFile.firstLine(of: file, atMost: Self.maximumLine)
      guard !line.isEmpty, !line.contains(where: { $0 < 0x20 || $0 == 0x7F }) else {
        throw Failure(
          description: "--variable \(name): the first line of \(file) is empty, or has control characters")
      }
      return String(decoding: line, as: UTF8.self)
    } catch let error as Failure { throw error } catch {
      throw Failure(description: "--variable \(name): \(file): \(error)")
    }
  }
}
