import Glibc
import HTTP1
import Pull
import System

/// What came is made into an archive and verified; on doubt, nothing is put in place.
extension PullRun {
  /// Makes the archive of what came, verifies it and puts it in place.
  mutating func keep(
    _ received: Received, _ base: Base?, _ application: DeltaApplication?
  ) throws -> Worth {
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
      guard let base, let application else {
        throw Failure(description: "\(options.url.shown): a delta of nothing")
      }
      archive = "archive"
      do {
        try finish(application, received)
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

  private func finish(_ application: DeltaApplication, _ received: Received) throws {
    guard let form = received.delta else { return }
    if let expected = received.contentDigest { try require(expected, of: "body") }
    do { try application.finish(form) } catch let error as SystemError where error.isFull {
      // The whole archive needs the same room.
      throw Self.full(options, "\(counted(work.size("archive"), "byte")) of the archive fitted")
    } catch let error where !(error is PullInterruption) {
      throw Doubt(reason: "\(error)")
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
    return try verify(work.file(name)) {
      try sync(name)
      if let expected = received.archiveDigest { try require(expected, of: name) }
    }
  }

  /// What `sluice verify` says: in a process of its own, since it reads what may be hostile.
  ///
  /// - Parameter meanwhile: what else must hold.
  func verify(_ path: String, meanwhile: () throws -> Void = {}) throws -> (Worth, String) {
    let output = try work.makeFile("verified")
    let error = try work.makeFile("error")
    let end = try ownCommand(
      ["verify", path, "--check-timeout", options.checkTimeout],
      ChildProcess.Streams(output: output.rawValue, error: error.rawValue), meanwhile)
    return try Worth.found(end, work.lines(of: "verified"), work.lines(of: "error"))
  }

  func ownCommand(
    _ arguments: [String], _ streams: ChildProcess.Streams, _ meanwhile: () throws -> Void = {}
  ) throws -> ChildProcess.End {
    let child = try ChildProcess.Running(
      "/proc/self/exe", arguments, streams, variables: ProgramVariables.plain.include)
    do { try meanwhile() } catch {
      child.send(SIGTERM)
      _ = try child.wait()
      throw error
    }
    let end = try child.wait(isInterrupted: isInterrupted)
    if isInterrupted() { throw PullInterruption() }
    return end
  }
}
