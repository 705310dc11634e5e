import CSQLite
import Foundation
import System
import TestSupport
import Testing

@testable import SQLiteSnapshot

/// A database that is looked at while it comes.
@Suite(.timeLimit(.minutes(15)))
struct DatabaseSpoolTests {
  private static let pieceSize = 256 << 10

  /// The check, on a thread of its own.
  private func check(_ content: DatabaseContent) throws -> AbandonableThread.Running<DatabaseFindings> {
    try AbandonableThread.start(named: "check") {
      content.findings(isThorough: true, CheckLimit(.seconds(60)))
    }
  }

  private func database(in scratch: Scratch) throws -> [UInt8] {
    let path = scratch.file("a.db")
    let database = try Bank.create(path, journalMode: "DELETE", byteCount: 9_000_000)
    try database.run("CREATE INDEX back ON filler(content)")
    return try [UInt8](Data(contentsOf: URL(filePath: path)))
  }

  private func pieces(_ bytes: [UInt8]) -> [[UInt8]] {
    stride(from: 0, to: bytes.count, by: Self.pieceSize).map {
      Array(bytes[$0..<min($0 + Self.pieceSize, bytes.count)])
    }
  }

  @Test func `a check waits for what has yet to come`() throws {
    let scratch = try Scratch()
    let bytes = try database(in: scratch)
    var spool = DatabaseSpool(in: scratch.file(""))
    var checks = 0
    var findings: DatabaseFindings?
    var running: AbandonableThread.Running<DatabaseFindings>?
    for piece in pieces(bytes) {
      try spool.append(piece)
      guard let content = spool.growing(to: UInt64(bytes.count)) else { continue }
      checks += 1
      running = try check(content)
    }
    _ = spool.finished()
    findings = running.take()?.result() ?? nil
    #expect(checks == 1)
    #expect(findings?.fault == nil && findings?.unfinished == nil && findings != nil)
  }

  @Test func `it finds the damage that comes last`() throws {
    let scratch = try Scratch()
    var bytes = try database(in: scratch)
    for index in bytes.count - 4096..<bytes.count { bytes[index] = 0xff }
    var spool = DatabaseSpool(in: scratch.file(""))
    var running: AbandonableThread.Running<DatabaseFindings>?
    for piece in pieces(bytes) {
      try spool.append(piece)
      if let content = spool.growing(to: UInt64(bytes.count)) { running = try check(content) }
    }
    _ = spool.finished()
    let findings = running.take()?.result() ?? nil
    #expect(findings?.fault != nil)
  }

  @Test(arguments: [false, true])
  func `it ends without a verdict where the rest never comes`(isFinished: Bool) throws {
    let scratch = try Scratch()
    let bytes = try database(in: scratch)
    var running: AbandonableThread.Running<DatabaseFindings>?
    do {
      var spool = DatabaseSpool(in: scratch.file(""))
      for piece in pieces(bytes).prefix(20) {
        try spool.append(piece)
        if let content = spool.growing(to: UInt64(bytes.count)) { running = try check(content) }
      }
      if isFinished { _ = spool.finished() }
    }
    let findings = running.take()?.result() ?? nil
    #expect(findings != nil)
    #expect(findings?.fault != nil || findings?.unfinished != nil)
  }

  @Test func `what waits takes none of a check's time`() {
    let limit = CheckLimit(.seconds(1))
    let waited = limit.pausing {
      usleep(1_100_000)
      return true
    }
    #expect(waited && !limit.isOver)
  }
}
