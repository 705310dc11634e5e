import HTTP1
import Pull
import Restore
import Service
import System

/// How the last drill ended that restored from one place.
struct LastDrill {
  /// Nil if it is not known.
  private let place: String?
  private let record: DrillRecord?
  /// Whether there is a record that cannot be read.
  private let isUnread: Bool
  /// How old it may be; nil if none is run by the pull.
  private let limit: Duration?

  /// The night in which it is due, and one more.
  private static let slack = Duration.seconds(2 * 86_400)
  /// More places are not looked for.
  private static let maximumPlaces = 100

  /// Those of all places; of a place of which there was none, none is known.
  ///
  /// - Parameter command: what keeps them; nil if that is not known.
  static func all(in directory: String, of series: String, _ command: PullCommand?) -> [LastDrill] {
    let record = "\(directory)/\(DrillRecord.name(of: series))"
    guard let command else {
      let paths = (1...maximumPlaces).lazy.map { DrillPlace.path(record, $0) }
      return paths.prefix { (try? FileSystem.status($0)) != nil }.map {
        LastDrill($0, place: nil, limit: nil)
      }
    }
    let limit = command.drill.map { $0.value + slack }
    return zip(1..., command.backupSources).map { number, source in
      LastDrill(DrillPlace.path(record, number), place: PlaceName.withoutPassword(source), limit: limit)
    }
  }

  private init(_ path: String, place: String?, limit: Duration?) {
    var (record, isUnread): (DrillRecord?, Bool) = (nil, false)
    do { record = try DrillRecord.read(path) } catch { isUnread = true }
    // It may be of a place that was there before.
    if let place, let found = record?.place, found != place { record = nil }
    self.record = record
    self.isUnread = isUnread
    self.place = place ?? record?.place
    self.limit = limit
  }

  private func age(_ now: Int64) -> Int64? {
    record.flatMap { Timestamp($0.time) }.map { now - $0.wholeSeconds }
  }

  private func isLate(_ now: Int64) -> Bool {
    guard let limit, let age = age(now) else { return false }
    return Duration.seconds(age) > limit
  }

  /// As the exit status of `sluice status` has it.
  func code(_ now: Int64) -> Int32 {
    if isUnread || isLate(now) || record?.result == .failed { return 1 }
    return record?.result == .changed ? 3 : 0
  }

  /// Nil if there is nothing to say.
  ///
  /// - Parameter hasBackup: whether there is one that a drill could restore.
  func words(_ now: Int64, isAmongSeveral: Bool, hasBackup: Bool) -> String? {
    let place = isAmongSeveral ? place.map { " of \($0)" } ?? "" : ""
    if isUnread { return "the record of the last drill\(place) cannot be READ" }
    guard let record else { return limit != nil && hasBackup ? "no drill\(place) yet" : nil }
    let ago = age(now).map { " \(PageWords.age(Int($0))) ago" } ?? ""
    let result = record.result == .passed ? "passed" : record.result.rawValue.uppercased()
    return "last drill\(place)\(isLate(now) ? " LATE," : "")\(ago) \(result)"
  }

  /// Nil if none is known.
  var json: JSONValue? {
    record.map {
      .object([
        ("place", place.map(JSONValue.string) ?? .null), ("time", .string($0.time)),
        ("file", .string($0.backup)), ("result", .string($0.result.rawValue)),
      ])
    }
  }
}
