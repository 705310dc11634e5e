import Glibc
import Pull
import System

/// What was verified is put in place, passed on to the destinations, and takes the place of old archives.
extension PullRun {
  /// A name has the second in it: so often, and so many microseconds later, another one is tried.
  private static let (nameAttempts, namePause): (Int, UInt32) = (40, 50_000)

  /// Waits until the disk has all of an archive.
  func sync(_ archive: String) throws {
    do throws(SystemError) { try FileSystem.openFile(BytePath(work.file(archive))).sync() } catch {
      throw Failure(description: "the archive in \(options.directory) cannot be written: \(error)")
    }
  }

  /// Gives an archive that the disk has its name.
  func place(_ archive: String, _ worth: Worth) throws -> String {
    var name = ""
    do throws(SystemError) {
      let from = try Directory(path: work.path)
      let to = try Directory(path: options.directory)
      for _ in 1...Self.nameAttempts {
        name = ArchiveName(series: options.series, time: Timestamp.now().inFileNames, worth: worth).file
        if try from.renameToFree(BytePath(archive), to: to, BytePath(name)) {
          try to.sync()
          return "\(options.directory)/\(name)"
        }
        // Of the same second.
        usleep(Self.namePause)
      }
      throw SystemError(call: "rename", errno: EEXIST)
    } catch {
      throw Failure(description: "\(options.directory)/\(name) cannot be put in place: \(error)")
    }
  }

  /// Gives an archive that was not verified to its end the name of what it is known to be now.
  func named(_ base: Base, _ worth: Worth) throws -> Base {
    guard let name = BackupName(base.record.file), name.word == Worth.unverified.word, worth != .unverified
    else { return base }
    var record = base.record
    record.file = ArchiveName(series: name.series, time: name.time.inFileNames, worth: worth).file
    do throws(SystemError) {
      let directory = try Directory(path: options.directory)
      guard try directory.renameToFree(BytePath(base.record.file), to: directory, BytePath(record.file))
      else {
        throw SystemError(call: "rename", errno: EEXIST)
      }
      try directory.sync()
    } catch {
      throw Failure(description: "\(base.path) is \(worth.said), and cannot be renamed: \(error)")
    }
    return Base(record: record, path: "\(options.directory)/\(record.file)")
  }

  func remember(_ received: Received, _ path: String, _ size: UInt64) {
    guard options.url.isStored, let tag = received.tag else { return }
    write(
      BaseRecord(urlDigest: options.url.digest, tag: tag, file: BytePath(path).name.lossyString, size: size))
  }

  /// Without a record the next archive comes whole, so no error is one of the pull.
  func write(_ record: BaseRecord) {
    do throws(SystemError) {
      try record.write(in: options.directory, of: options.series, through: work.path)
    } catch {
      printError("sluice: the next archive comes whole: \(BaseRecord.name(of: options.series)): \(error)")
    }
  }

  private static let pieceSize = 256 << 10

  /// Feeds the destinations from the archive that was verified.
  private mutating func deliver(_ path: String, _ worth: Worth) throws -> Delivery {
    let time = Timestamp.now().inFileNames
    let series = options.series
    let delivery = Delivery(to: options.destinations, work, isInterrupted: isInterrupted) {
      ArchiveName(series: series, time: time, worth: worth)
    }
    guard !options.destinations.isEmpty else { return delivery }
    do {
      let file = try FileSystem.openFile(BytePath(path))
      while true {
        let piece = try file.read(Self.pieceSize, at: delivery.sent.count)
        if piece.isEmpty { break }
        try delivery.append(piece)
      }
      try delivery.finish(worth)
    } catch {
      delivery.discard()
      throw error
    }
    note(delivery)
    return delivery
  }

  private mutating func note(_ delivery: Delivery) {
    if let fault = delivery.fault { fail(fault) }
  }

  /// Says why old backups stay: the new one is kept, but something is wrong with what is there.
  private mutating func tell(_ reason: String) {
    fail(reason)
    printError("sluice: \(printable(reason))")
  }

  private mutating func fail(_ reason: String) {
    hasFailed = true
    kept?.detail = reason
  }

  /// Removes old archives, and says how it ended.
  mutating func finish(
    _ worth: Worth, _ detail: String, _ path: String, _ said: String, _ saved: String = ""
  ) throws -> Worth {
    put("\(printable("\(said), \(worth.said)\(saved)"))\n", STDOUT_FILENO)
    kept = Kept(
      path: path, size: (try? FileSystem.status(path).size) ?? 0, worth: worth,
      missing: Worth.missing(work.lines(of: "verified")), detail: detail)
    if worth != .whole { printError("sluice: \(printable("\(path): \(detail)"))") }
    let delivery = try deliver(path, worth)
    if let damaged {
      // sluice keep would count it as a backup.
      tell("\(path) is kept, but \(damaged) beside it is damaged: remove it; no old backup was removed")
      return worth
    }
    if options.retention.isEmpty { return worth }
    let error = try work.makeFile("error")
    let arguments = ["keep", options.directory, "--name", options.series] + options.retention
    let end = try ownCommand(arguments, ChildProcess.Streams(error: error.rawValue))
    guard end.isSuccess else {
      let reason = work.lines(of: "error").last ?? "sluice keep failed"
      tell("\(path) is kept, but \(reason.trimmingPrefix("sluice: "))")
      return worth
    }
    if worth == .whole, delivery.fault == nil { try delivery.retain(options.tiers) }
    note(delivery)
    return worth
  }
}

/// A number of bytes for a person: `12.3 MB`.
func shortSize(_ count: UInt64) -> String {
  let units = ["bytes", "kB", "MB", "GB", "TB", "PB", "EB"]
  var (unit, scaled) = (0, count)
  var rest: UInt64 = 0
  while scaled >= 1000, unit < units.count - 1 {
    (scaled, rest) = (scaled / 1000, scaled % 1000)
    unit += 1
  }
  return unit == 0 ? counted(count, "byte") : "\(scaled).\(rest / 100) \(units[unit])"
}
