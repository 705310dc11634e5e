import System

/// A file that node_exporter's textfile collector reads: gauges, all with the same labels.
struct Textfile {
  let path: String
  /// Two files that are read have no sample in common: the collector would refuse all.
  let labels: [(name: String, value: String)]

  /// The collector reads no file of another name.
  static let ending = ".prom"
  /// More than any that is written here.
  private static let maximumSize = 65_536

  /// A metric of its own name.
  struct Family {
    let name: String
    let help: String
  }

  /// Replaces the file.
  func write(_ values: [(Family, String)]) throws(SystemError) {
    let text = values.map { family, value in
      """
      # HELP \(family.name) \(family.help)
      # TYPE \(family.name) gauge
      \(sample(family))\(value)

      """
    }.joined()
    try PublicFile.replace(path, with: Array(text.utf8))
  }

  /// Gives these metrics new values, whatever their labels are; all else in the file stays.
  ///
  /// - Returns: whether they are there.
  func change(_ values: [(Family, String)]) throws(SystemError) -> Bool {
    var found = 0
    let lines = text.split(separator: "\n").map { line in
      for (family, value) in values where line.utf8.starts(with: "\(family.name){".utf8) {
        found += 1
        return "\(line[..<(line.lastIndex(of: " ") ?? line.endIndex)]) \(value)"
      }
      return String(line)
    }
    guard found >= values.count else { return false }
    try PublicFile.replace(path, with: Array(lines.map { $0 + "\n" }.joined().utf8))
    return true
  }

  private var text: String {
    (try? SmallFile.read(path, atMost: Self.maximumSize)).map { String(decoding: $0, as: UTF8.self) } ?? ""
  }

  private func sample(_ family: Family) -> String {
    "\(family.name){\(labels.map { "\($0.name)=\(printable($0.value).quoted)" }.joined(separator: ","))} "
  }

  /// The value that stands there now; 0 if there is none.
  func earlier(_ family: Family) -> String {
    let start = sample(family)
    let line = text.split(separator: "\n").first { $0.utf8.starts(with: start.utf8) }
    return line.flatMap { Int64($0.dropFirst(start.count)) }.map { "\($0)" } ?? "0"
  }
}
