import System

/// A file that node_exporter's textfile collector reads: gauges, each of one series.
struct Textfile {
  let path: String

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
  func write(_ values: [(Family, String)], of series: String) throws(SystemError) {
    let text = values.map { family, value in
      """
      # HELP \(family.name) \(family.help)
      # TYPE \(family.name) gauge
      \(sample(family, of: series))\(value)

      """
    }.joined()
    try PublicFile.replace(path, with: Array(text.utf8))
  }

  private func sample(_ family: Family, of series: String) -> String {
    "\(family.name){series=\(series.quoted)} "
  }

  /// The value that stands there now; 0 if there is none.
  func earlier(_ family: Family, of series: String) -> String {
    let text =
      (try? SmallFile.read(path, atMost: Self.maximumSize)).map { String(decoding: $0, as: UTF8.self) } ?? ""
    let start = sample(family, of: series)
    let line = text.split(separator: "\n").first { $0.utf8.starts(with: start.utf8) }
    return line.flatMap { Int64($0.dropFirst(start.count)) }.map { "\($0)" } ?? "0"
  }
}
