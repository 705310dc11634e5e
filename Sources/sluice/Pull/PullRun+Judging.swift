import HTTP1
import Pull
import System

/// What came is made into an archive and verified; on doubt, nothing is put in place.
extension PullRun {
  /// Makes the archive of what came, verifies it and puts it in place.
  mutating func keep(_ received: Received, _ base: Base?) throws -> Worth {
    let archive: String
    let (worth, detail): (Worth, String)
    if received.delta == nil {
      archive = "body"
      do { (worth, detail) = try verify(received, archive) } catch let doubt as Doubt
        where !received.mayLackTheEnd
      {
        throw Failure(description: "the download is not a sound backup: \(doubt.reason)")
      }
    } else {
      guard let base else { throw Failure(description: "\(options.url.shown): a delta of nothing") }
      archive = "archive"
      do {
        try apply(received, to: base)
        (worth, detail) = try verify(received, archive)
      } catch let doubt as Doubt {
        // Is it the base? Then the administrator must know that it is no backup any more.
        _ = try verify(base)
        throw Doubt(reason: "the delta of \(base.record.file) makes no sound archive: \(doubt.reason)")
      }
    }
    let size = work.size(archive)
    let path = try place(archive, worth)
    remember(received, path, size)
    let saved =
      received.delta == nil ? "" : "; \(shortSize(transferred)) transferred instead of \(shortSize(size))"
    return try finish(worth, detail, path, "\(path): \(size) bytes", saved)
  }

  private func apply(_ received: Received, to base: Base) throws {
    if let expected = received.contentDigest { try require(expected, of: "body") }
    var delta = "body"
    if received.delta?.isGzipped == true {
      delta = "delta"
      let input = try open("body")
      let output = try work.makeFile(delta)
      try decode("gzip", ["-d", "-c"], ChildProcess.Streams(input: input.rawValue, output: output.rawValue))
    }
    // -D, -R: no program is started because of what is in the delta. -B, -W: 512 KiB of the base and 64 KiB of the
    // delta at a time in place of 64 and 8 MiB: 13 MiB of memory in place of 69.
    let arguments = [
      "-d", "-f", "-D", "-R", "-B", "524288", "-W", "65536", "-s", base.path, work.file(delta),
      work.file("archive"),
    ]
    try decode("xdelta3", arguments, ChildProcess.Streams())
  }

  private func open(_ name: String) throws -> Descriptor {
    do throws(SystemError) { return try FileSystem.openFile(BytePath(work.file(name))) } catch {
      throw Doubt(reason: "nothing has come: \(error)")
    }
  }

  private func decode(_ program: String, _ arguments: [String], _ streams: ChildProcess.Streams) throws {
    let error = try work.makeFile("error")
    var streams = streams
    streams.error = error.rawValue
    let end: ChildProcess.End
    do throws(SystemError) {
      end = try ChildProcess.run(program, arguments, streams, isInterrupted: isInterrupted)
    } catch {
      throw Doubt(reason: "\(program) cannot be run: \(error)")
    }
    if isInterrupted() { throw PullInterruption() }
    guard end.isSuccess else {
      throw Doubt(reason: "\(program): \(work.lines(of: "error").first ?? "\(end)")")
    }
  }

  /// A file that was sent with this digest, if it is one of SHA-256.
  private func require(_ digest: String, of name: String) throws {
    guard digest.contains("sha-256=") else { return }
    let found = ReprDigest.field(sha256: try FileDigest.sha256(work.file(name))).value
    guard digest.contains(found) else {
      throw Doubt(reason: "its SHA-256 is not the one that the service has sent")
    }
  }

  private func verify(_ received: Received, _ name: String) throws -> (Worth, String) {
    guard work.size(name) > 0 else { throw Doubt(reason: "it is empty") }
    if let expected = received.archiveDigest { try require(expected, of: name) }
    return try verify(work.file(name))
  }

  /// What `sluice verify` says: in a process of its own, since it reads what may be hostile.
  func verify(_ path: String) throws -> (Worth, String) {
    let output = try work.makeFile("verified")
    let error = try work.makeFile("error")
    let end = try ownCommand(
      ["verify", path, "--check-timeout", options.checkTimeout],
      ChildProcess.Streams(output: output.rawValue, error: error.rawValue))
    return try Worth.found(end, work.lines(of: "verified"), work.lines(of: "error"))
  }

  func ownCommand(_ arguments: [String], _ streams: ChildProcess.Streams) throws -> ChildProcess.End {
    let end = try ChildProcess.run("/proc/self/exe", arguments, streams, isInterrupted: isInterrupted)
    if isInterrupted() { throw PullInterruption() }
    return end
  }
}
