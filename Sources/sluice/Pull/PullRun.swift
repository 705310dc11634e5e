import Glibc
import HTTP1
import Pull
import Service
import System

/// One pull: fetches an archive, or a delta of the last one, verifies it, puts it in place and removes old ones.
///
/// Any doubt about a delta leads to one whole archive, once. The last archive is only read.
struct PullRun {
  struct Options {
    var url: BackupURL
    var directory: String
    var series: String
    var tokenFile: String?
    var unixSocket: String?
    /// Further ones, of curl.
    var curlOptions: [String] = []
    /// Between two attempts, in milliseconds.
    var pause: Int64
    /// Of `sluice verify`, for each database.
    var checkTimeout: String
    /// Options of `sluice keep`; none if nothing is to be removed.
    var retention: [String]
    /// The same as numbers, by the options' names.
    var tiers: [(name: String, count: Int)] = []
    /// Patterns of databases that may be gone.
    var gone: [String] = []
    /// Beside the directory.
    var destinations: [Destination] = []
    /// Where the `PullRecord` is; nil if there is no place for it.
    var recordDirectory: String?

    /// What was asked, for messages.
    var request: PullAnswer.Request {
      PullAnswer.Request(url: url, tokenFile: tokenFile, unixSocket: unixSocket)
    }
  }

  /// The archive that is in place after a pull, new or found unchanged.
  struct Kept {
    var path: String
    /// In bytes.
    var size: UInt64
    var worth: Worth
    /// What is not in it, as `sluice verify` names it.
    var missing: [String]
    /// What is to be said of it in one line; empty if nothing is.
    var detail: String
    /// What a pull without a directory compares the next archive with; nil unless this one is good.
    var good: PullRecord.Good?
  }

  /// An archive of an earlier pull that fits the request.
  struct Base {
    let record: BaseRecord
    let path: String
  }

  let options: Options
  let work: PullWork
  private let curl: Curl
  let isInterrupted: () -> Bool
  var transferred: UInt64 = 0
  /// nil until one is in place.
  var kept: Kept?
  /// The name of an earlier archive that is not on this disk as it was.
  var damaged: String?
  /// Whether a destination has not got the archive or keeps too many, or old backups stay for a reason: it was named.
  var hasFailed = false

  /// - Throws: a `Failure` that names what is wrong.
  init(_ options: Options, isInterrupted: @escaping () -> Bool) throws {
    self.options = options
    self.isInterrupted = isInterrupted
    curl = try Curl(options, isInterrupted: isInterrupted) { reason in
      "--into \(options.directory): no directory that this user can write to: \(reason)"
    }
    work = curl.work
  }

  /// - Throws: a `Failure` that says why no archive is in place, or what is wrong although one is.
  mutating func run() throws -> Worth {
    defer { work.removeAll() }
    do {
      do { return try pull(from: findBase()) } catch let doubt as Doubt {
        printError("sluice: \(printable(doubt.reason)); the whole archive is fetched")
        // It needs the room.
        work.remove("archive")
        return try pull(from: nil)
      }
    } catch is PullInterruption {
      throw Failure(description: "interrupted")
    } catch let doubt as Doubt {
      throw Failure(description: doubt.reason)
    }
  }

  private mutating func pull(from base: Base?) throws -> Worth {
    let request = FetchRequest(base: base?.record.tag, takesDelta: base != nil)
    let application = base.map { DeltaApplication(to: $0.path, work, isInterrupted: isInterrupted) }
    let answer = try curl.fetch(
      request, pause: options.pause,
      explain: { [options, work] in Self.failure($0, options, work) },
      transferred: &transferred, meanwhile: { application?.advance() })
    switch answer {
    case .unchanged:
      guard var base else { throw Failure(description: "\(options.url.shown): 304 for no reason") }
      let (worth, detail) = try verify(base)
      base = try named(base, worth)
      // Its time says until when the archive is known to be the present one.
      write(base.record)
      return try finish(
        worth, detail, base.path, "\(base.path): \(base.record.size) bytes", "; nothing has changed since")
    case .judge(let received):
      do { return try keep(received, base, application) } catch let doubt as Doubt
        where received.delta == nil && received.mayLackTheEnd
      {
        // It was the beginning of another archive.
        throw Doubt(reason: "the archive of the broken download is no longer available (\(doubt.reason))")
      }
    case .fetchWhole(let reason): throw Doubt(reason: reason)
    case .retry, .fail: fatalError("Curl.fetch has done that")
    }
  }

  /// `CURLE_WRITE_ERROR`.
  private static let writeError: CInt = 23

  private static func failure(_ refusal: Attempt.Refusal, _ options: Options, _ work: PullWork) -> Failure {
    // There was no room for curl's words either.
    if refusal == .curl(writeError), FileSystemSpace(of: BytePath(options.directory))?.isFull == true {
      return full(options, "\(counted(work.size("body"), "byte")) of the answer fitted")
    }
    return PullAnswer.failure(options.request, refusal, work.lines(of: "error").first ?? "")
  }

  static func full(_ options: Options, _ reason: String) -> Failure {
    Failure(description: "--into \(options.directory): no room is left: \(reason)")
  }

  // MARK: the base

  private mutating func findBase() -> Base? {
    guard options.url.isStored,
      let record = BaseRecord.read(in: options.directory, of: options.series),
      record.urlDigest == options.url.digest, record.file.utf8.starts(with: "\(options.series)-".utf8)
    else { return nil }
    let path = "\(options.directory)/\(record.file)"
    // Removed, by sluice keep or by a person.
    guard let status = try? FileSystem.status(path), status.kind == .regular else { return nil }
    guard status.size == record.size else {
      damaged = record.file
      printError(
        "sluice: \(printable(path)) has \(status.size) bytes and had \(record.size); the whole archive is fetched"
      )
      return nil
    }
    return Base(record: record, path: path)
  }

  /// Reads the base back, whose damage on this disk would otherwise go into what is made of it, or be taken for a backup.
  mutating func verify(_ base: Base) throws -> (Worth, String) {
    do { return try verify(base.path) } catch let doubt as Doubt {
      damaged = base.record.file
      throw Doubt(reason: "\(base.path) is damaged on this disk: \(doubt.reason)")
    } catch let failure as Failure {
      // It may be sound.
      throw Doubt(reason: "\(base.path) could not be verified: \(failure)")
    }
  }
}
