import Archive
import ArgumentParser
import EventLoop
import Glibc
import Restore
import Service
import System

/// `sluice backup`: the same zip without a server.
struct BackupCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "backup",
    abstract: "Write one backup to a file or to standard output.",
    discussion: """
      A file appears whole or not at all. Then its SHA-256 is printed as sha256sum(1) does: on standard output, or \
      on standard error if the archive is standard output.

      EXAMPLES
        # app.zip stays until the new archive is verified.
        sluice backup --data /var/lib/app -o app.new &&
          sluice verify app.new && mv app.new app.zip

        # A new name for each archive, and a list of digests.
        sluice backup --data /var/lib/app >>SHA256SUMS &&
          sha256sum --check SHA256SUMS

        # To another machine. If the connection breaks, the old
        # app.zip stays there.
        sluice backup --data /var/lib/app -o - | ssh vault '
          cat >app.new && sluice verify app.new &&
          mv app.new app.zip'

      EXIT STATUS
        0   complete
        1   failed; one line says why
        3   whole, but something was skipped
        64  the command line is wrong
      """)

  @OptionGroup var archive: ArchiveArguments

  @Option(
    name: [.short, .long],
    help: ArgumentHelp(
      "Where to write it; - is standard output. (default: NAME-backup-2026-11-28T031502Z.zip in this directory)",
      valueName: "file"), completion: .file())
  var output: String?

  @Option(
    help: ArgumentHelp(
      "Take only this database, with VERSION and the manifest: its path in DIR; may be repeated.",
      valueName: "path"))
  var db: [String] = []

  func validate() throws { _ = try selection() }

  /// - Throws: a `ValidationError` that names the option.
  private func selection() throws -> [String]? {
    guard !db.isEmpty else { return nil }
    return try db.map { path in
      guard let relative = ArchivePath.relative(BytePath(path), in: BytePath(archive.content.data)) else {
        throw ValidationError("--db \(path): give a path inside the data directory, such as events.db")
      }
      return relative.lossyString
    }
  }

  func run() throws {
    let ends = Signals.notIgnored([SIGTERM, SIGINT, SIGHUP])
    Signals.block(ends)
    signal(SIGPIPE, SIG_IGN)
    // Past a limit on the size of files, a write fails as on a full disk.
    signal(SIGXFSZ, SIG_IGN)
    if output == "-", isatty(STDOUT_FILENO) == 1 {
      throw Failure(description: "-o -: a zip would garble the terminal; send it to a file or a pipe")
    }
    if let output, output != "-" { try ArchiveFile.refuseDatabase(at: output) }
    if output != "-" { ArchiveFile.removeLeftovers(beside: output) }
    SystemCalls.interruptNoThread()
    raiseDescriptorLimit()
    let (options, resources) = (try archive.options(), try archive.resources())
    let isComplete = try Loop.run {
      let signals = try Signals(ends)
      let work = Loop.start { try await write(options, resources) }
      Loop.start {
        _ = try await signals.next()
        work.cancel()
        _ = try await signals.next()
        _exit(1)
      }
      do { return try await work.value } catch BackupError.cancelled {
        throw Failure(description: "interrupted: no archive was made")
      } catch let error as BackupError {
        throw Failure(description: error.advice)
      }
    }
    if !isComplete { throw ExitCode(3) }
  }

  /// - Returns: whether nothing was skipped.
  @Loop private func write(
    _ options: ArchiveOptions, _ resources: ArchiveResources
  ) async throws -> Bool {
    var request = BackupSession.Request(databases: try selection())
    request.digest = true
    let (session, preamble) = try await BackupSession.open(options, resources, request)
    for skipped in preamble.skipped.prefix(BackupRecord.maximumSkippedLines) {
      printError("sluice: skipped \(printable(skipped.path)) (\(skipped.reason)): \(skipped.advice)")
    }
    let more = preamble.skipped.count - BackupRecord.maximumSkippedLines
    if more > 0 { printError("sluice: skipped \(more) more, which MANIFEST.json names") }
    let progress = TerminalProgress()
    defer { progress.clear() }
    let ended = Condition()
    defer { ended.notify() }
    var file: ArchiveFile?
    do {
      let opened = try await ArchiveFile(output, defaultName: preamble.timedFileName)
      file = opened
      Loop.start { try await session.watchLimits(pause: { await ended.wait(until: .now + $0) }) }
      while let chunk = try await session.next() {
        guard !Task.isCancelled else { throw BackupError.cancelled }
        try await opened.append(chunk)
        progress.show(await session.bytesRead, of: preamble.contentSize)
      }
      try await opened.commit()
      progress.clear()
      // Where the archive is standard output, on standard error.
      let line = checksumLine(await session.digest ?? [], of: output ?? preamble.timedFileName)
      put(line, output == "-" ? STDERR_FILENO : STDOUT_FILENO)
      await session.close()
      for name in await session.leftWALs.prefix(BackupRecord.maximumSkippedLines) {
        printError("sluice: \(printable(name)): \(BackupRecord.leftWALAdvice)")
      }
    } catch {
      await file?.discard()
      throw await session.close() ?? error
    }
    return preamble.skipped.isEmpty
  }
}
