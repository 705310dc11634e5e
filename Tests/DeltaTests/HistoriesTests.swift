import System
import TestSupport
import Testing

@testable import Delta

@Suite struct HistoriesTests {
  private static let request = Histories.request(dataDirectory: "/data", databases: nil)

  private func tag(_ number: Int) -> String {
    let digits = String(number, radix: 16)
    let half = String(repeating: "0", count: 32 - digits.count) + digits
    return "\(half)-\(half)"
  }

  /// A history of two members, of which the first has 700 units and the second a short one.
  private func publish(
    _ tag: String, in histories: Histories, request: String = request, hash: UnitHash? = nil, value: UInt8 = 1
  ) throws -> UnitHash {
    let writer = try histories.begin(request, tag: tag, contentSize: 0, hash)
    write(writer, value)
    histories.publish(writer)
    #expect(writer.failure == nil)
    return writer.hash
  }

  private func write(_ writer: HistoryWriter, _ value: UInt8 = 1) {
    writer.begin("a", dataOffset: 4096, size: 700 * 4096)
    for unit in 0..<700 { writer.add(writer.hash.digests(of: data(unit, value))) }
    writer.begin("b", dataOffset: 4096 * 1000, size: 10)
    writer.add(writer.hash.digests(of: [UInt8](repeating: value, count: 10)))
    writer.finish()
  }

  private func data(_ unit: Int, _ value: UInt8) -> [UInt8] {
    [UInt8](repeating: UInt8(truncatingIfNeeded: unit) &+ value, count: 4096)
  }

  private func matches(_ history: ArchiveHistory, _ unit: UInt64, _ bytes: [UInt8], _ name: String = "a")
    -> Bool
  {
    guard let member = history.member(name) else { return false }
    return history.matches(unit, of: member, history.hash.digests(of: bytes), at: 0)
  }

  @Test func `what was written is found, unit by unit`() throws {
    let folder = try Folder()
    let histories = Histories(in: folder.path, count: 2, budget: 1 << 20)
    try histories.prepare()
    _ = try publish(tag(1), in: histories)
    let history = try #require(histories.newest(of: Self.request, among: [tag(2), "../x", tag(1)]))
    #expect(history.tag == tag(1))
    #expect(history.member("a")?.dataOffset == 4096)
    #expect(history.member("b")?.byteCount(ofUnit: 0) == 10)
    #expect(history.member("b")?.byteCount(ofUnit: 1) == 0)
    #expect(history.member("c") == nil)
    for unit in [0, 255, 256, 699, 3] {
      #expect(matches(history, UInt64(unit), data(unit, 1)))
      #expect(!matches(history, UInt64(unit), data(unit, 2)))
    }
    #expect(matches(history, 0, [UInt8](repeating: 1, count: 10), "b"))
  }

  @Test func `an archive that is made again has one history`() throws {
    let folder = try Folder()
    let histories = Histories(in: folder.path, count: 2, budget: 1 << 20)
    try histories.prepare()
    let writer = try histories.begin(Self.request, tag: tag(1), contentSize: 0, nil)
    writer.begin("a", dataOffset: 1, size: 4096 * 300)
    for unit in 0..<300 { writer.add(writer.hash.digests(of: data(unit, 9))) }
    writer.rewind()
    write(writer)
    histories.publish(writer)
    let history = try #require(histories.newest(of: Self.request, among: [tag(1)]))
    #expect(matches(history, 299, data(299, 1)) && !matches(history, 299, data(299, 9)))
  }

  @Test func `a history is found by its own request and its own tag alone, and only once it is published`()
    throws
  {
    let folder = try Folder()
    let histories = Histories(in: folder.path, count: 2, budget: 1 << 20)
    try histories.prepare()
    let other = Histories.request(dataDirectory: "/data", databases: ["a"])
    let writer = try histories.begin(Self.request, tag: tag(1), contentSize: 0, nil)
    write(writer)
    #expect(histories.newest(of: Self.request, among: [tag(1)]) == nil)
    histories.publish(writer)
    #expect(histories.newest(of: Self.request, among: [tag(1)]) != nil)
    #expect(histories.newest(of: other, among: [tag(1)]) == nil)
    // One that has another's name.
    let delta = try Directory(path: folder.path + "/delta")
    try delta.link(BytePath("\(Self.request).\(tag(1))"), to: BytePath("\(other).\(tag(1))"))
    try delta.link(BytePath("\(Self.request).\(tag(1))"), to: BytePath("\(Self.request).\(tag(2))"))
    #expect(histories.newest(of: other, among: [tag(1)]) == nil)
    #expect(histories.newest(of: Self.request, among: [tag(2)]) == nil)
  }

  @Test func `the oldest go first, of each request and then of all`() throws {
    let folder = try Folder()
    let histories = Histories(in: folder.path, count: 2, budget: 5 * 12_000)
    try histories.prepare()
    for number in 1...3 { _ = try publish(tag(number), in: histories) }
    #expect(histories.newest(of: Self.request, among: [tag(1)]) == nil)
    #expect(histories.newest(of: Self.request, among: [tag(2), tag(3)])?.tag == tag(3))
    for number in 4...8 {
      let request = Histories.request(dataDirectory: "/data", databases: ["\(number)"])
      _ = try publish(tag(number), in: histories, request: request)
    }
    let sizes = try Directory(path: folder.path + "/delta").names().count
    #expect(sizes == 5)
    #expect(histories.newest(of: Self.request, among: [tag(2), tag(3)]) == nil)
    // What would be larger than all may be is not begun.
    do throws(SystemError) {
      _ = try histories.begin(Self.request, tag: tag(9), contentSize: 16 << 20, nil)
      Issue.record("it was begun")
    } catch {
      #expect(error.isOverBudget)
    }
  }

  @Test func `what was left unfinished is removed`() throws {
    let folder = try Folder()
    let histories = Histories(in: folder.path, count: 2, budget: 1 << 20)
    try histories.prepare()
    let writer = try histories.begin(Self.request, tag: tag(1), contentSize: 0, nil)
    write(writer)
    _ = try publish(tag(2), in: histories)
    #expect(try Directory(path: folder.path + "/delta").names().count == 2)
    try histories.prepare()
    #expect(try Directory(path: folder.path + "/delta").names().count == 1)
    histories.publish(writer)
    #expect(writer.failure != nil)
    Histories.remove(from: folder.path)
    #expect(try Directory(path: folder.path).names().isEmpty)
  }

  /// Whatever is done to a file, no unit of the archive counts as one of another content or at another place.
  @Test(arguments: 0..<8) func `a damaged history is none, or says nothing wrong`(seed: UInt64) throws {
    let folder = try Folder()
    let histories = Histories(in: folder.path, count: 2, budget: 1 << 20)
    try histories.prepare()
    let hash = try publish(tag(1), in: histories)
    _ = try publish(tag(2), in: histories, hash: hash, value: 2)
    let delta = try Directory(path: folder.path + "/delta")
    let names = [1, 2].map { BytePath("\(Self.request).\(tag($0))") }
    let contents = try names.map { try delta.openFile($0, writing: false).read(atMost: 1 << 20) }
    var random = Generator(state: seed)
    for _ in 0..<40 {
      var bytes = contents[0]
      switch Int.random(in: 0..<6, using: &random) {
      case 0: bytes.removeLast(Int.random(in: 1...bytes.count, using: &random))
      case 1:
        bytes[Int.random(in: bytes.indices, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random)
      case 2:
        let start = Int.random(in: bytes.indices, using: &random)
        for place in start..<min(bytes.count, start + 4096) { bytes[place] = contents[1][place] }
      case 3: bytes.append(0)
      case 4: bytes = contents[1]
      default: bytes.replaceSubrange(0..<16, with: Array("sluice history 2".utf8))
      }
      guard bytes != contents[0] else { continue }
      try delta.remove(names[0])
      try delta.makeFile(names[0]).write(bytes)
      #expect(histories.newest(of: Self.request, among: [tag(1)]) == nil)

      // Damaged after it was found: what matched may match no more, and what did not still does not.
      try delta.remove(names[0])
      try delta.makeFile(names[0]).write(contents[0])
      let history = try #require(histories.newest(of: Self.request, among: [tag(1)]))
      let file = try delta.openFile(names[0], writing: true)
      try file.write(bytes, at: 0)
      for unit in stride(from: 0, to: 700, by: 50) {
        #expect(!matches(history, UInt64(unit), data(unit, 2)))
      }
    }
  }
}
