import Archive
import HTTP1
@testable import Service
import Testing

/// The rules by which a request gets a new archive, a part of a held one, or a refusal: each row is one of them.
struct ResumeDecisionTests {
  /// What one request gets.
  struct Row: CustomTestStringConvertible {
    let rule: String
    let request: [String]
    let held: [HeldArchive]
    let service: Facts
    let decision: ResumeDecision

    init(
      _ rule: String, _ request: [String], held: [HeldArchive] = [], service: Facts = Facts(),
      gets decision: ResumeDecision
    ) {
      (self.rule, self.request, self.held, self.service) = (rule, request, held, service)
      self.decision = decision
    }

    var testDescription: String { "\(rule): \(request.joined(separator: ", "))" }
  }

  /// What the service says beside the held archives.
  struct Facts {
    var isStored = false
    var keepsArchives = true
    var isNew = true

    static let stored = Facts(isStored: true)
    static let storedAndGone = Facts(isStored: true, isNew: false)
    static let storedWithoutGrace = Facts(isStored: true, keepsArchives: false)
  }

  static let backup = "GET /api/backup"
  static let named = "GET /api/backup?resume=x"

  /// Compressed, its length unknown; bytes 500 to 999 are in memory, and 1000 were made.
  static let compressed = HeldArchive(
    target: "/api/backup", tag: EntityTag(strong: "a-1"), length: nil, retained: 500..<1000, furthestEnd: 0,
    canRewind: false)
  /// Stored: 5000 bytes, of which 500 to 999 are in memory, and 1000 were made.
  static let stored = with(compressed) { $0.length = 5000 }
  static let namedCompressed = with(compressed) { $0.target = "/api/backup?resume=x" }
  static let namedStored = with(stored) { $0.target = "/api/backup?resume=x" }

  static func with(_ archive: HeldArchive, _ change: (inout HeldArchive) -> Void) -> HeldArchive {
    var archive = archive
    change(&archive)
    return archive
  }

  private func check(_ row: Row) throws {
    let asked = try ResumeRequest(try request(row.request))
    let decision = asked.decide(
      row.held, isStored: row.service.isStored, keepsArchives: row.service.keepsArchives,
      isNew: row.service.isNew)
    #expect(decision == row.decision)
  }

  static let without: [Row] = [
    Row("a request gets a new archive", [backup], gets: .new(nil, servesParts: false)),
    Row("HEAD, too", ["HEAD /api/backup"], gets: .new(nil, servesParts: false)),
    Row(
      "a range from the first byte is ignored", [backup, "Range: bytes=0-9"],
      gets: .new(nil, servesParts: false)),
    Row(
      "so is one in a form that is unknown", [backup, "Range: lines=5-"], gets: .new(nil, servesParts: false)),
    Row("any other names no archive", [backup, "Range: bytes=1-"], gets: .ambiguousRange),
    Row("a suffix is no better", [backup, "Range: bytes=-5"], gets: .ambiguousRange),
    Row("nor is a part", [backup, "Range: bytes=1-2"], service: .stored, gets: .ambiguousRange),
    Row("HEAD has no range", ["HEAD /api/backup", "Range: bytes=1-"], gets: .new(nil, servesParts: false)),
    Row(
      "a tag that is not held: the whole", [backup, "Range: bytes=9-", "If-Range: \"a-1\""],
      gets: .new(nil, servesParts: false)),
    Row(
      "a date is no tag", [backup, "Range: bytes=9-", "If-Range: Mon, 23 Nov 2026 10:00:00 GMT"],
      gets: .new(nil, servesParts: false)),
    Row("If-Match must be met", [backup, "If-Match: \"a-1\""], gets: .tagNotHeld),
    Row("with a range, too", [backup, "If-Match: \"a-1\"", "Range: bytes=9-"], gets: .tagNotHeld),
    Row("for HEAD, too", ["HEAD /api/backup", "If-Match: \"a-1\""], gets: .tagNotHeld),
    Row("any archive meets *", [backup, "If-Match: *"], gets: .new(nil, servesParts: false)),
  ]

  @Test(arguments: without) func `nothing is held`(_ row: Row) throws { try check(row) }

  /// A delta of the archive `o-1`, gzipped.
  static let delta = with(compressed) { $0.delta = BackupSession.Delta(base: "o-1", isGzipped: true) }
  static let rest = [backup, "Range: bytes=1000-", "If-Match: \"a-1\""]

  static let ofDelta: [Row] = [
    Row(
      "its client gets the rest", rest + ["A-IM: vcdiff, gzip", "If-None-Match: \"z\", \"o-1\""],
      held: [delta],
      gets: .part(.from(1000), of: 0)),
    Row("one that takes none gets no part of it", rest, held: [delta], gets: .tagNotHeld),
    Row(
      "one that has another archive neither", rest + ["A-IM: vcdiff, gzip", "If-None-Match: \"z\""],
      held: [delta], gets: .tagNotHeld),
    Row(
      "one that has no gzip neither", rest + ["A-IM: vcdiff", "If-None-Match: \"o-1\""], held: [delta],
      gets: .tagNotHeld),
    Row(
      "one that takes it no more neither", rest + ["A-IM: vcdiff;q=0, gzip", "If-None-Match: \"o-1\""],
      held: [delta], gets: .tagNotHeld),
    Row(
      "nor HEAD", ["HEAD /api/backup", "If-Match: \"a-1\""], held: [delta], gets: .tagNotHeld),
    Row(
      "one that would take a delta gets the rest of an archive",
      rest + ["A-IM: vcdiff, gzip", "If-None-Match: \"o-1\""], held: [compressed],
      gets: .part(.from(1000), of: 0)),
    Row(
      "nor by a name", [named, "Range: bytes=1000-"],
      held: [with(delta) { $0.target = "/api/backup?resume=x" }],
      gets: .nameNotHeld),
  ]

  @Test(arguments: ofDelta) func `a delta is held`(_ row: Row) throws { try check(row) }

  static let byTag: [Row] = [
    Row(
      "If-Range gets the rest", [backup, "Range: bytes=1000-", "If-Range: \"a-1\""], held: [compressed],
      gets: .part(.from(1000), of: 0)),
    Row(
      "If-Match, too", [backup, "Range: bytes=1000-", "If-Match: \"a-1\""], held: [compressed],
      gets: .part(.from(1000), of: 0)),
    Row(
      "If-Match goes before If-Range",
      [backup, "Range: bytes=1000-", "If-Match: \"a-1\"", "If-Range: \"b-1\""],
      held: [compressed], gets: .part(.from(1000), of: 0)),
    Row(
      "one of several tags is enough", [backup, "Range: bytes=1000-", "If-Match: \"z\", \"a-1\""],
      held: [compressed], gets: .part(.from(1000), of: 0)),
    Row(
      "a weak tag names no bytes", [backup, "Range: bytes=1000-", "If-Range: W/\"a-1\""], held: [compressed],
      gets: .new(nil, servesParts: false)),
    Row(
      "If-Range has no *", [backup, "Range: bytes=1000-", "If-Range: *"], held: [compressed],
      gets: .new(nil, servesParts: false)),
    Row(
      "If-Match: * names none", [backup, "Range: bytes=1000-", "If-Match: *"], held: [compressed],
      gets: .ambiguousRange),
    Row(
      "another target has another archive",
      ["GET /api/backup?db=a.db", "Range: bytes=1000-", "If-Range: \"a-1\""],
      held: [compressed], gets: .new(nil, servesParts: false)),
    Row(
      "without a tag there is no match", [backup, "Range: bytes=1000-"], held: [compressed],
      gets: .ambiguousRange),
    Row(
      "without a range the whole is new", [backup, "If-Range: \"a-1\""], held: [compressed],
      gets: .new(nil, servesParts: false)),
    Row(
      "If-Match without a range is not met", [backup, "If-Match: \"a-1\""], held: [compressed],
      gets: .tagNotHeld),
    Row(
      "HEAD describes it", ["HEAD /api/backup", "If-Match: \"a-1\""], held: [compressed], gets: .head(of: 0)),
    Row(
      "HEAD has no If-Range", ["HEAD /api/backup", "If-Range: \"a-1\""], held: [compressed],
      gets: .new(nil, servesParts: false)),
    Row(
      "each tag its archive", [backup, "Range: bytes=1000-", "If-Range: \"a-1\""],
      held: [compressed, with(compressed) { $0.tag = EntityTag(strong: "a-2") }],
      gets: .part(.from(1000), of: 0)),
  ]

  @Test(arguments: byTag) func `an archive is named by its tag`(_ row: Row) throws { try check(row) }

  static let byName: [Row] = [
    Row(
      "a name gets the rest", [named, "Range: bytes=600-"], held: [namedCompressed],
      gets: .part(.from(600), of: 0)),
    Row(
      "of the last archive by it", [named, "Range: bytes=600-"], held: [namedCompressed, namedCompressed],
      gets: .part(.from(600), of: 1)),
    Row("HEAD describes it", ["HEAD /api/backup?resume=x"], held: [namedCompressed], gets: .head(of: 0)),
    Row(
      "If-Range limits a name", [named, "Range: bytes=600-", "If-Range: \"b-1\""], held: [namedCompressed],
      gets: .new(nil, servesParts: false)),
    Row(
      "so does If-Match", [named, "Range: bytes=600-", "If-Match: \"b-1\""], held: [namedCompressed],
      gets: .tagNotHeld),
    Row(
      "without a range the whole is new", [named], held: [namedCompressed],
      gets: .new(nil, servesParts: false)),
    Row("what is gone is refused", [named, "Range: bytes=1-"], gets: .nameNotHeld),
    Row("what is not held, too", [named, "Range: bytes=1-"], held: [namedCompressed], gets: .nameNotHeld),
    Row("from the first byte, it is new", [named, "Range: bytes=0-"], gets: .new(nil, servesParts: false)),
    Row(
      "lftp gets no part of unknown length", [named, "Range: bytes=600-", "User-Agent: lftp/4.9.2"],
      held: [namedCompressed], gets: .nameNotHeld),
    Row(
      "lftp gets one of known length", [named, "Range: bytes=600-", "User-Agent: lftp/4.9.2"],
      held: [namedStored], gets: .part(.from(600), of: 0)),
    Row(
      "a proxy of HTTP/1.0 is no better", [named, "Range: bytes=600-", "Via: 1.0 proxy"],
      held: [namedCompressed],
      gets: .nameNotHeld),
  ]

  @Test(arguments: byName) func `an archive is named by its client`(_ row: Row) throws { try check(row) }

  static let firstByName: [Row] = [
    Row("the whole", [named], service: .stored, gets: .new(nil, servesParts: true)),
    Row("HEAD", ["HEAD /api/backup?resume=x"], service: .stored, gets: .new(nil, servesParts: true)),
    Row(
      "a part", [named, "Range: bytes=5-10"], service: .stored, gets: .new(.closed(5...10), servesParts: true)
    ),
    Row("the end", [named, "Range: bytes=-1"], service: .stored, gets: .new(.suffix(1), servesParts: true)),
    Row(
      "all from the first byte", [named, "Range: bytes=0-"], service: .stored,
      gets: .new(.from(0), servesParts: true)),
    Row("the rest is of another archive", [named, "Range: bytes=1-"], service: .stored, gets: .nameNotHeld),
    Row(
      "compressed, it has no length", [named, "Range: bytes=5-10"], gets: .nameNotHeld),
    Row(
      "If-Range cannot hold", [named, "Range: bytes=5-10", "If-Range: \"a-1\""], service: .stored,
      gets: .new(nil, servesParts: true)),
    Row("a used name: no part", [named, "Range: bytes=-1"], service: .storedAndGone, gets: .nameNotHeld),
    Row(
      "a used name: the whole", [named, "Range: bytes=0-"], service: .storedAndGone,
      gets: .new(nil, servesParts: true)),
    Row(
      "a used name: HEAD makes nothing", ["HEAD /api/backup?resume=x"], service: .storedAndGone,
      gets: .new(nil, servesParts: false)),
    Row(
      "nothing is kept: no part", [named, "Range: bytes=5-10"], service: .storedWithoutGrace,
      gets: .nameNotHeld),
    Row(
      "nothing is kept: the whole", [named, "Range: bytes=0-9"], service: .storedWithoutGrace,
      gets: .new(nil, servesParts: false)),
    Row("without a name, no part later", [backup], service: .stored, gets: .new(nil, servesParts: false)),
  ]

  @Test(arguments: firstByName)
  func `the first request by a name may be for any part of what is stored`(_ row: Row) throws {
    try check(row)
  }

  static let positions: [Row] = {
    func row(_ rule: String, _ range: String, _ archive: HeldArchive, gets decision: ResumeDecision) -> Row {
      Row(rule, [backup, "Range: bytes=\(range)", "If-Match: \"a-1\""], held: [archive], gets: decision)
    }
    let rewindable = with(compressed) { $0.canRewind = true }
    let rewound = with(rewindable) { ($0.retained, $0.furthestEnd) = (0..<10, 2000) }
    return [
      row("the first in memory", "500-", compressed, gets: .part(.from(500), of: 0)),
      row("the next to be made", "1000-", compressed, gets: .part(.from(1000), of: 0)),
      row("one before memory", "499-", compressed, gets: .tagNotHeld),
      row("before memory, it is made again", "499-", rewindable, gets: .part(.from(499), of: 0)),
      row("no client has what was never made", "1001-", rewindable, gets: .tagNotHeld),
      row("what had been made before a rewind", "2000-", rewound, gets: .part(.from(2000), of: 0)),
      row("and no more than that", "2001-", rewound, gets: .tagNotHeld),
      row("without a length, no end is known", "600-700", compressed, gets: .tagNotHeld),
      row("nor what is before it", "-5", compressed, gets: .tagNotHeld),
      row("with a length, a part", "600-700", stored, gets: .part(.closed(600...700), of: 0)),
      row("the end, which will be made", "-5", stored, gets: .part(.suffix(5), of: 0)),
      row("far ahead, too", "4000-", stored, gets: .part(.from(4000), of: 0)),
      row("before memory, not", "0-10", stored, gets: .tagNotHeld),
      row("behind the end", "5000-", stored, gets: .unsatisfiable(of: 0)),
      row("no bytes at all", "-0", stored, gets: .unsatisfiable(of: 0)),
      row("behind an end that is unknown", "9007199254740993-", compressed, gets: .tagNotHeld),
    ]
  }()

  @Test(arguments: positions) func `what is held of an archive`(_ row: Row) throws { try check(row) }

  @Test func `asks a session only if that decides`() throws {
    func depends(_ range: String, _ archive: HeldArchive, _ condition: String = "If-Range: \"a-1\"") throws
      -> Bool
    {
      try ResumeRequest(request(Self.backup, "Range: bytes=\(range)", condition)).dependsOnRewinding(archive)
    }
    #expect(try depends("499-", Self.compressed))
    #expect(try !depends("500-", Self.compressed))
    #expect(try !depends("1001-", Self.compressed))
    #expect(try !depends("5000-", Self.stored))
    #expect(try !depends("499-", Self.compressed, "If-Match: *"))
  }

  @Test(arguments: ["x", "\"a\" \"b\"", ","])
  func `refuses an If-Match that is no list of tags`(_ value: String) throws {
    let asked = try request(Self.backup, "If-Match: \(value)")
    #expect(throws: HTTPError.self) { try ResumeRequest(asked) }
  }

  @Test func `says how it refuses`() {
    #expect(ResumeDecision.tagNotHeld.refusal?.status == .preconditionFailed)
    #expect(ResumeDecision.nameNotHeld.refusal?.status == .preconditionFailed)
    #expect(ResumeDecision.ambiguousRange.refusal?.status == .preconditionRequired)
    #expect(ResumeDecision.new(nil, servesParts: false).refusal == nil)
  }

  @Test func `answers 304 for any archive of this state`() throws {
    let tag = EntityTag(strong: "ab-1")
    func unchanged(_ value: String) throws -> String? {
      let known = try #require(
        try EntityTags("If-None-Match", of: request(Self.backup, "If-None-Match: \(value)")))
      return unchangedTag(among: known, state: "ab", tag: tag)?.text
    }
    #expect(try unchanged("*") == "\"ab-1\"")
    #expect(try unchanged("\"ab-1\"") == "\"ab-1\"")
    #expect(try unchanged("\"x\", W/\"ab-2\"") == "\"ab-2\"")
    #expect(try unchanged("\"ac-1\"") == nil)
    #expect(try unchanged("\"ab\"") == nil)
    for other in ["ab-x", "ab-", "ab--", "ab-12", "ab-\(String(repeating: "a", count: 200))"] {
      #expect(try unchanged("\"\(other)\"") == nil)
    }
  }
}
