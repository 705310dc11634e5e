import System
import Foundation
import Testing

@testable import SQLiteSnapshot

struct PlainCopyTests {
  private static let content = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 / 5) }

  @Test(arguments: [64 << 20, 0] as [UInt64])
  func `keeps what a file held, in memory or in the spool`(budget: UInt64) throws {
    let scratch = try Scratch()
    let path = try scratch.write(Self.content, to: "vault.db")
    let copy = try PlainCopy(
      of: PlainFile(path: path), byteCount: 3_000_000, try scratch.options(budget: budget), isSame: { true })
    try Data([1]).write(to: URL(filePath: path))
    for range in [0..<3_000_000, 0..<0, 2_999_999..<3_000_000, 1_000_000..<1_100_000] {
      #expect(try copy?.read(range.count, at: UInt64(range.lowerBound)) == Array(Self.content[range]))
    }
  }

  @Test func `gives its part of the budget back`() throws {
    let scratch = try Scratch()
    let file = try PlainFile(path: scratch.write(Self.content, to: "vault.db"))
    let options = try scratch.options(budget: 3_000_000)
    var copy = try PlainCopy(of: file, byteCount: 3_000_000, options, isSame: { true })
    #expect(copy != nil)
    #expect(!canReserve(1, of: options.memory))
    copy = nil
    #expect(canReserve(3_000_000, of: options.memory))
  }

  private func canReserve(_ byteCount: UInt64, of budget: MemoryBudget) -> Bool {
    budget.reserve(byteCount) != nil
  }

  @Test func `is none once the file is not what it was`() throws {
    let scratch = try Scratch()
    let file = try PlainFile(path: scratch.write(Self.content, to: "vault.db"))
    var looks = 0
    let copy = try PlainCopy(of: file, byteCount: 3_000_000, try scratch.options()) {
      looks += 1
      return looks < 2
    }
    #expect(copy == nil)
    #expect(looks == 2, "what has changed is not read any further")
  }

  @Test func `a file that has become shorter has changed`() throws {
    let scratch = try Scratch()
    let file = try PlainFile(path: scratch.write([1, 2, 3], to: "vault.db"))
    let error = #expect(throws: SQLiteError.self) {
      _ = try PlainCopy(of: file, byteCount: 4, try scratch.options(), isSame: { true })
    }
    #expect(error?.reason == .changed)
  }

  @Test func `what the spool has no room for is not begun`() throws {
    let scratch = try Scratch()
    let file = try PlainFile(path: scratch.write([1, 2, 3], to: "vault.db"))
    let error = #expect(throws: SQLiteError.self) {
      _ = try PlainCopy(of: file, byteCount: 1 << 60, try scratch.options(budget: 0), isSame: { true })
    }
    #expect(error?.reason == .spoolFull)
  }

  @Test func `says that there is no spool`() throws {
    let scratch = try Scratch()
    var options = try scratch.options(budget: 0)
    options.spoolDirectory = scratch.file("nowhere")
    let file = try PlainFile(path: scratch.write([1, 2, 3], to: "vault.db"))
    let error = #expect(throws: SQLiteError.self) {
      _ = try PlainCopy(of: file, byteCount: 3, options, isSame: { true })
    }
    #expect(error?.reason == .cannotOpen)
    #expect(error?.message.contains("No such file") == true)
  }
}
