import FoundationEssentials

/// Why a file holds no state of this directory.
package enum ServiceStateError: Error, Equatable, CustomStringConvertible {
  /// It is torn, or no state of this program.
  case damaged
  /// It was written by another version.
  case unknownFormat(Int)
  /// It is of another data directory.
  case otherDirectory

  package var description: String {
    switch self {
    case .damaged: "it is torn, or not a state of sluice"
    case .unknownFormat(let format):
      "it has format \(format), and this version reads \(ServiceState.currentFormat)"
    case .otherDirectory: "it is of another data directory"
    }
  }
}

extension ServiceState.Counts {
  /// Reads the counters; one that the writing version did not have is 0.
  package init(from decoder: any Decoder) throws {
    self.init()
    let values = try decoder.container(keyedBy: CodingKeys.self)
    func read<Counter: Decodable>(_ key: CodingKeys, _ counter: inout Counter) throws {
      if values.contains(key) { counter = try values.decode(Counter.self, forKey: key) }
    }
    func readTable(_ key: CodingKeys, _ counters: inout [String: Int]) throws {
      var found: [String: Int] = [:]
      try read(key, &found)
      counters.merge(found) { $1 }
    }
    try read(.started, &started)
    try readTable(.completed, &completed)
    try readTable(.selected, &selected)
    try readTable(.aborted, &aborted)
    try readTable(.rejected, &rejected)
    try read(.unchanged, &unchanged)
    try read(.resumed, &resumed)
    try read(.leftWALs, &leftWALs)
    try read(.bytesRead, &bytesRead)
    try read(.bytesSent, &bytesSent)
    try read(.seconds, &seconds)
  }
}

extension ServiceState {
  /// Reads what every version has written, and what later ones have added if it is there.
  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    self.init(dataDirectory: try values.decode(String.self, forKey: .dataDirectory))
    format = try values.decode(Int.self, forKey: .format)
    counts = try values.decode(Counts.self, forKey: .counts)
    lastBackup = try values.decodeIfPresent(Backup.self, forKey: .lastBackup)
    lastComplete = try values.decodeIfPresent(Complete.self, forKey: .lastComplete)
    unfinishedTags = try values.decode([String].self, forKey: .unfinishedTags)
    history = try values.decodeIfPresent([PastBackup].self, forKey: .history) ?? []
    databaseTimes = try values.decodeIfPresent([String: Int].self, forKey: .databaseTimes) ?? [:]
  }

  /// So many tags are remembered.
  package static let maximumUnfinishedTags = 64
  /// So many backups are shown.
  package static let maximumHistory = 30
  /// As many as one archive can have.
  static let maximumDatabases = 10_000
  /// Of their paths together: those of 10,000 are ten times shorter as a rule.
  static let maximumPathBytes = 2 << 20
  private static let maximumReasons = 64
  /// What JSON's numbers are exact to, and far from where a counter would overflow.
  private static let largestNumber: UInt64 = 1 << 53

  /// Reads a text that anything may have written.
  ///
  /// - Throws: why it is not the state of this directory.
  package init(_ text: [UInt8], of dataDirectory: String) throws(ServiceStateError) {
    struct Format: Decodable { var format: Int }
    let data = Data(text)
    guard let format = try? JSONDecoder().decode(Format.self, from: data).format else {
      throw .damaged
    }
    guard format == Self.currentFormat else {
      throw .unknownFormat(format)
    }
    guard let state = try? JSONDecoder().decode(ServiceState.self, from: data), state.isPlausible else {
      throw .damaged
    }
    guard state.dataDirectory.utf8.elementsEqual(dataDirectory.utf8) else {
      throw .otherDirectory
    }
    self = state
  }

  /// The JSON text.
  package func encoded() -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    do { return Array(try encoder.encode(self)) + [UInt8(ascii: "\n")] } catch {
      fatalError("a state of strings and numbers is always JSON: \(error)")
    }
  }

  /// Whether it can be counted on from here, and shown as it is.
  private var isPlausible: Bool {
    let tables = [counts.completed, counts.selected, counts.aborted, counts.rejected]
    let numbers =
      tables.flatMap(\.values) + [counts.started, counts.unchanged, counts.resumed, counts.leftWALs]
      + [lastBackup?.ended, lastComplete?.ended, lastComplete?.databases].compactMap(\.self)
      + history.flatMap { [$0.ended, $0.milliseconds, $0.databases ?? 0, $0.skipped ?? 0] }
      + databaseTimes.values
    let sizes =
      [counts.bytesRead, counts.bytesSent, lastBackup?.bytes ?? 0, lastComplete?.bytes ?? 0]
      + history.map(\.bytes)
    let times =
      [counts.seconds, lastComplete?.skewMilliseconds ?? 0] + history.map { $0.skewMilliseconds ?? 0 }
    let tags = unfinishedTags + [lastComplete?.tag].compactMap(\.self)
    return tables.allSatisfy { $0.count <= Self.maximumReasons && $0.keys.allSatisfy(Self.isWord) }
      && numbers.allSatisfy { $0 >= 0 && UInt64($0) <= Self.largestNumber }
      && sizes.allSatisfy { $0 <= Self.largestNumber }
      && times.allSatisfy { $0 >= 0 && $0 <= Double(Self.largestNumber) }
      && unfinishedTags.count <= Self.maximumUnfinishedTags && tags.allSatisfy(Self.isWord)
      && history.count <= Self.maximumHistory && history.compactMap(\.reason).allSatisfy(Self.isWord)
      && databaseTimes.count <= Self.maximumDatabases
  }

  /// Small letters, digits and hyphens.
  private static func isWord(_ text: String) -> Bool {
    (1...128).contains(text.utf8.count)
      && text.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"):
          true
        default: false
        }
      }
  }
}
