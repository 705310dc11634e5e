package import System

/// The name of a kept backup, the same in a directory and in every engine: `NAME-2026-11-28T031502Z.zip`, with `-incomplete`
/// or `-unverified` after the time if it is not known to be whole.
package struct BackupName: Equatable, Sendable {
  /// What the names of the series begin with.
  package let series: String
  package let time: Timestamp
  /// `incomplete` or `unverified`; nil if it is whole.
  package let word: String?

  /// What stands in a name that is not known to be whole.
  package static let words = ["incomplete", "unverified"]

  /// The name itself.
  ///
  /// - Parameters:
  ///   - time: as `Timestamp.inFileNames` writes it.
  ///   - word: nil if it is whole.
  package static func file(_ series: String, _ time: String, word: String?) -> String {
    "\(series)-\(time)\(word.map { "-\($0)" } ?? "").zip"
  }

  /// - Parameter file: without a folder.
  /// - Returns: nil for the name of anything else.
  package init?(_ file: String) {
    guard file.hasSuffix(".zip") else { return nil }
    var rest = file.dropLast(4)
    var word: String?
    for each in Self.words where rest.hasSuffix("-\(each)") {
      (rest, word) = (rest.dropLast(each.count + 1), each)
    }
    // -2026-11-28T031502Z
    let stamp = rest.suffix(19).utf8.map { $0 }
    guard stamp.count == 19, rest.utf8.count > 19, stamp[0] == UInt8(ascii: "-") else { return nil }
    guard let time = Timestamp(inFileName: String(decoding: stamp[1...], as: UTF8.self)) else { return nil }
    series = String(rest.dropLast(19))
    self.time = time
    self.word = word
  }
}

extension Timestamp {
  /// Reads what `inFileNames` writes.
  package init?(inFileName text: String) {
    let bytes = Array(text.utf8)
    guard bytes.count == 18 else { return nil }
    let parts = [bytes[..<13], bytes[13..<15], bytes[15...]].map { String(decoding: $0, as: UTF8.self) }
    self.init(parts.joined(separator: ":"))
  }
}
