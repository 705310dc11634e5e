import Glibc
import HTTP1
import Pull
import System

/// A pull that keeps no archive on this disk: each byte goes to `sluice verify` and to the destinations as it comes.
struct StreamedPull {
  let options: PullRun.Options
  let work: PullWork
  private let curl: Curl
  private let isInterrupted: () -> Bool
  /// What the destinations have; nil until they have it. Its path is the name that engines have for it.
  var kept: PullRun.Kept?

  /// `sluice verify`, which reads what comes.
  private final class Verifier {
    let input: OutgoingPipe
    let child: ChildProcess.Running

    init(_ work: PullWork, checkTimeout: String) throws(SystemError) {
      let ends = try SystemCalls.pipe()
      let reading = Descriptor(owning: ends[0])
      let writing = Descriptor(owning: ends[1])
      let output = try work.makeFile("verified")
      let error = try work.makeFile("verify-error")
      child = try ChildProcess.Running(
        "/proc/self/exe",
        ["verify", "-", "--check-timeout", checkTimeout, "--inventory", work.file("inventory")],
        ChildProcess.Streams(input: reading.rawValue, output: output.rawValue, error: error.rawValue),
        variables: ProgramVariables.plain.include)
      input = try OutgoingPipe(owning: writing)
    }
  }

  /// The verifier reads no more: it has found a fault.
  private struct VerdictIsKnown: Error {}

  /// Each destination was named with its fault.
  struct Undelivered: Error, CustomStringConvertible { let description: String }

  /// - Throws: a `Failure` that names what is wrong.
  init(_ options: PullRun.Options, isInterrupted: @escaping () -> Bool) throws {
    self.options = options
    self.isInterrupted = isInterrupted
    curl = try Curl(options, isInterrupted: isInterrupted) { reason in
      "\(options.directory): no directory that this user can write to; set TMPDIR: \(reason)"
    }
    work = curl.work
  }

  /// - Returns: also whether a destination has not got the archive, or keeps too many: it was named.
  /// - Throws: a `Failure` that says why no destination has anything new; `Undelivered`.
  mutating func run() throws -> (worth: Worth, hasFailed: Bool) {
    defer { work.removeAll() }
    let verifier = try Verifier(work, checkTimeout: options.checkTimeout)
    let delivery = Delivery(to: options.destinations, work, isInterrupted: isInterrupted, name: name)
    do { return try run(verifier, delivery) } catch {
      delivery.discard()
      verifier.child.send(SIGKILL)
      _ = try? verifier.child.wait()
      switch error {
      case is PullInterruption where delivery.isReleased:
        throw Failure(description: "interrupted: the archive is sound, and some destinations may have it")
      case is PullInterruption: throw Failure(description: "interrupted: \(kept(by: options.destinations))")
      case let doubt as Doubt:
        throw Failure(
          description:
            "\(options.url.shown): no sound backup has come, and \(kept(by: options.destinations)): "
            + doubt.reason)
      default: throw error
      }
    }
  }

  /// What is left of an archive that did not come to its end. What a user's command does with the part that it got, only its
  /// author knows.
  private func kept(by destinations: [Destination]) -> String {
    destinations.contains { $0.kind == .command }
      ? "no engine keeps anything of it; the command of --to was killed before the end of its input"
      : "no destination keeps anything of it"
  }

  /// The head of the answer says whether something is missing.
  private func name() -> ArchiveName {
    let isComplete = AnswerHead(work.beginning(of: "head"))?["sluice-skipped"] == nil
    return ArchiveName(
      series: options.series, time: Timestamp.now().inFileNames, worth: isComplete ? .whole : .incomplete)
  }

  private mutating func run(_ verifier: Verifier, _ delivery: Delivery) throws -> (
    worth: Worth, hasFailed: Bool
  ) {
    let received = try fetch(verifier, delivery)
    verifier.input.close()
    let end = try verifier.child.wait(isInterrupted: isInterrupted)
    if isInterrupted() { throw PullInterruption() }
    let (worth, detail) = try Worth.found(end, work.lines(of: "verified"), work.lines(of: "verify-error"))
    if let digest = received?.archiveDigest, digest.contains("sha-256="),
      !digest.contains(ReprDigest.field(sha256: delivery.sent.digest).value)
    {
      throw Doubt(reason: "its SHA-256 is not the one that the service has sent")
    }
    // Known here and not there: the verdict of an archive whose reading ended early is a fault.
    guard received != nil else { throw Doubt(reason: "sluice verify did not read all of it") }
    try delivery.finish(worth)
    guard delivery.hasDelivered else {
      throw Undelivered(
        description:
          "\(options.url.shown): the archive is sound, but no destination has got it: \(delivery.fault ?? "")"
      )
    }
    kept = PullRun.Kept(
      path: delivery.file ?? options.url.shown, size: delivery.sent.count, worth: worth,
      missing: Worth.missing(work.lines(of: "verified")), detail: delivery.fault ?? detail)
    put("\(printable("\(options.url.shown): \(delivery.sent.count) bytes, \(worth.said)"))\n", STDOUT_FILENO)
    if worth != .whole { printError("sluice: \(printable("\(options.url.shown): \(detail)"))") }
    let isSmaller = judgeDatabases()
    if worth == .whole, delivery.fault == nil, !isSmaller {
      try delivery.retain(options.tiers)
      if let fault = delivery.fault { kept?.detail = fault }
    }
    return (worth, delivery.fault != nil || isSmaller)
  }

  /// Passes on all that comes. What broke off is resumed only if the same archive goes on.
  ///
  /// - Returns: nil if the verifier reads no more.
  private func fetch(_ verifier: Verifier, _ delivery: Delivery) throws -> Received? {
    var request = FetchRequest(base: nil, takesDelta: false)
    var number = 1
    while true {
      let exitStatus: CInt
      do {
        exitStatus = try curl.stream(request, from: delivery.sent.count) { piece in
          try delivery.append(piece, beside: verifier.input)
          if verifier.input.fault != nil { throw VerdictIsKnown() }
        }
      } catch is VerdictIsKnown { return nil }
      if isInterrupted() { throw PullInterruption() }
      let head = AnswerHead(work.beginning(of: "head"))
      let attempt = Attempt(
        request, exitStatus: exitStatus, head, byteCount: delivery.sent.count, number: number)
      switch attempt.next {
      case .judge(let received): return received
      case .retry(let next, let seconds):
        guard next.part != nil || delivery.sent.count == 0 else {
          throw Doubt(
            reason: "the download broke off and cannot be resumed: \(work.lines(of: "error").first ?? "")")
        }
        try curl.wait(max(options.pause, Int64(seconds) * 1000))
        request = next
        number += 1
      case .fail(let refusal):
        throw PullAnswer.failure(options.request, refusal, work.lines(of: "error").first ?? "")
      case .unchanged, .fetchWhole:
        throw Failure(description: "\(options.url.shown): an answer to no request")
      }
    }
  }
}
