package import System

/// What is known of the last archive that was pulled, beside the archive: a small text file. Without it, or with one that
/// does not fit, the next archive is fetched whole.
package struct BaseRecord: Equatable, Sendable {
  /// Of the request: an archive of another is no base.
  package var urlDigest: String
  package var tag: String
  /// The archive's name in the same directory.
  package var file: String
  /// In bytes.
  package var size: UInt64

  package init(urlDigest: String, tag: String, file: String, size: UInt64) {
    self.urlDigest = urlDigest
    self.tag = tag
    self.file = file
    self.size = size
  }

  /// More than any that is written here.
  private static let maximumSize = 4096
  private static let firstLine = "sluice base 1"

  package static func name(of series: String) -> String { ".\(series).base" }

  package var text: String {
    """
    \(Self.firstLine)
    url \(urlDigest)
    etag \(tag)
    file \(file)
    size \(size)

    """
  }

  /// - Returns: nil for any text that `text` does not write, as one that was cut.
  package init?(_ text: String) {
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    guard lines.count == 6, lines[0] == Self.firstLine, lines[5].isEmpty,
      let url = Self.value(lines[1], of: "url"), let tag = Self.value(lines[2], of: "etag"),
      let file = Self.value(lines[3], of: "file"),
      let size = Self.value(lines[4], of: "size").flatMap(UInt64.init),
      AnswerHead.isStrong(tag), BytePath(file).isRelativeAndPlain, BytePath(file).components.count == 1
    else { return nil }
    self.init(urlDigest: url, tag: tag, file: file, size: size)
    guard self.text == text else { return nil }
  }

  private static func value(_ line: Substring, of name: String) -> String? {
    line.utf8.starts(with: "\(name) ".utf8) ? String(line.dropFirst(name.count + 1)) : nil
  }

  /// Reads the record of a series; nil if there is none that can be read.
  package static func read(in directory: String, of series: String) -> BaseRecord? {
    let path = "\(directory)/\(name(of: series))"
    guard let bytes = try? SmallFile.read(path, atMost: maximumSize, isOwn: true) else { return nil }
    return BaseRecord(String(decoding: bytes, as: UTF8.self))
  }

  /// Replaces the record of a series.
  ///
  /// - Parameter work: a directory on the same file system, for the new one until it is whole.
  package func write(in directory: String, of series: String, through work: String) throws(SystemError) {
    let file = try AtomicFile(
      replacing: "\(directory)/\(Self.name(of: series))", through: "\(work)/base", isUnique: false)
    try file.append(Array(text.utf8))
    try file.commit()
    file.syncFolder()
  }
}
