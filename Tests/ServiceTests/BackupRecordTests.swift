@testable import Archive
import EventLoop
import Glibc
import HTTP1
import System
import TestSupport
import Testing

@testable import Service

/// The lines that the log has of one backup.
struct BackupRecordTests {
  private let lines = LogRecorder.Lines()

  /// The lines that a record logs.
  private func logged(
    _ fields: String..., from peer: String = "127.0.0.1:5000", method: String = "GET",
    _ log: @escaping @Loop @Sendable (BackupRecord) -> Void
  ) async throws -> [String] {
    let (lines, peer) = (lines, try #require(SocketAddress(peer)))
    let head = try request(["\(method) /api/backup"] + fields)
    try await onTheLoop {
      let advice = Advice(["client-stalled": "see LIMIT", "locked": "see WAIT"])
      log(BackupRecord(head, from: peer, LogRecorder.logger(lines), advice))
    }
    return lines.all
  }

  @Test func `names what was skipped, with advice`() async throws {
    let skipped = ["locked", "missing"].map { Skipped(path: "\($0)\n.db", reason: $0, detail: "it is") }
    let lines = try await logged { $0.logSkipped(skipped) }
    #expect(
      lines == [
        "warning: skipped client=127.0.0.1:5000 database=locked?.db detail=it is; see WAIT reason=locked",
        "warning: skipped client=127.0.0.1:5000 database=missing?.db detail=it is reason=missing",
      ])
  }

  @Test func `counts what would fill the log`() async throws {
    let names = (0..<40).map { "\($0).db" }
    let lines = try await logged { record in
      record.logSkipped(names.map { Skipped(path: $0, reason: "locked", detail: "") })
      record.leftWALs = names
      record.logLeftWALs()
    }
    #expect(lines.count == 2 * (BackupRecord.maximumSkippedLines + 1))
    #expect(
      lines[BackupRecord.maximumSkippedLines]
        == "warning: skipped more, which the manifest names client=127.0.0.1:5000 skipped=40")
    #expect(lines.last == "warning: more write-ahead logs left client=127.0.0.1:5000 left=40")
  }

  @Test func `names a database whose WAL was left`() async throws {
    let lines = try await logged { record in
      record.leftWALs = ["a.db"]
      record.logLeftWALs()
    }
    #expect(
      lines == [
        "warning: write-ahead log left client=127.0.0.1:5000 database=a.db detail=\(BackupRecord.leftWALAdvice)"
      ])
  }

  @Test func `follows a client that is lost and returns`() async throws {
    let again = try request("GET /api/backup")
    let lines = try await logged { record in
      record.delivery.confirm(0..<10)
      record.logLost(
        BackupFailure(SystemError(call: "send", errno: ETIMEDOUT), isStopping: false), for: .seconds(5))
      record.logResumed(again, from: .unix(""), at: 8)
      record.logDiscarded("checkpoint", "it waits")
    }
    let detail =
      "the client's kernel confirmed no byte for as long as it may; see LIMIT; it is kept for 5.0 seconds"
    #expect(
      lines == [
        "notice: backup interrupted bytes=10 client=127.0.0.1:5000 detail=\(detail) reason=client-stalled",
        "info: backup resumed bytes=8 client=unix",
        "notice: interrupted backup given up client=unix detail=it waits reason=checkpoint",
      ])
  }

  @Test func `tells how a backup ended`() async throws {
    let failure = BackupFailure(BackupError.unknownDatabase("x.db"), isStopping: false)
    let lines = try await logged { record in
      record.delivery.confirm(0..<10)
      record.logEnd(.complete, nil)
      record.logEnd(.ranges, nil)
      record.logEnd(.failed, BackupFailure(BackupError.cancelled, isStopping: true))
      record.logEnd(.failed, failure)
      record.logUnchanged()
    }
    #expect(
      lines == [
        "info: backup sent bytes=10 client=127.0.0.1:5000 skipped=0",
        "info: ranges of a backup sent bytes=10 client=127.0.0.1:5000 skipped=0",
        "warning: backup failed bytes=10 client=127.0.0.1:5000 "
          + "detail=it was not finished before the service stopped reason=stopping",
        "notice: backup refused bytes=10 client=127.0.0.1:5000 detail=\(failure.detail) reason=\(failure.reason)",
        "info: backup unchanged bytes=10 client=127.0.0.1:5000",
      ])
  }

  @Test func `has no line for a head that was sent`() async throws {
    #expect(try await logged(method: "HEAD") { $0.logEnd(.complete, nil) } == [])
  }

  @Test(arguments: [
    ("10.0.0.9", "127.0.0.1:5000", "10.0.0.9"), ("hearsay, 2001:db8::1", "127.0.0.1:5000", "2001:db8::1"),
    ("secret", "127.0.0.1:5000", "127.0.0.1:5000"), ("unix:/a", "127.0.0.1:5000", "127.0.0.1:5000"),
    ("10.0.0.9", "192.0.2.1:5000", "192.0.2.1:5000"), ("10.0.0.9", "unix:/a", "10.0.0.9"),
  ])
  func `names the client that a local proxy saw`(_ forwarded: String, _ peer: String, _ client: String) throws
  {
    let head = try request("GET /api/backup", "X-Forwarded-For: \(forwarded)")
    #expect(head.client(try #require(SocketAddress(peer))) == client)
  }
}

struct BackupFailureTests {
  @Test(arguments: [
    (SystemError(call: "send", errno: ECONNRESET), false, "client-left"),
    (SystemError(call: "send", errno: ETIMEDOUT), false, "client-stalled"),
    (SystemError(call: "send", errno: ECANCELED), true, "stopping"),
    (SystemError(call: "send", errno: ECANCELED), false, "client-left"),
    (SystemError(call: "send", errno: ENOBUFS), false, "system"),
  ])
  func `tells a client that left from a service that could not`(
    _ error: SystemError, _ isStopping: Bool, _ reason: String
  ) {
    #expect(BackupFailure(error, isStopping: isStopping).reason == reason)
  }

  @Test func `a limit is a warning, a failure of the service an error`() {
    let failures: [(any Error, String)] = [
      (SlotTooOld(limit: .seconds(1)), "warning"),
      (BackupError.snapshotTooOld(limit: .seconds(1)), "warning"),
      (BackupError.changed(path: "a.db"), "error"), (BackupError.incomplete([]), "notice"),
      (CancellationError(), "error"),
    ]
    for (error, level) in failures {
      #expect("\(BackupFailure(error, isStopping: false).level)" == level, "\(error)")
    }
  }
}
