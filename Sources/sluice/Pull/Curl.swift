import Glibc
import Pull
import Service
import System

/// curl, which does HTTP, TLS and proxies. The URL and the token go through a pipe: no other process can read them there.
struct Curl {
  /// Both, as `--config` reads them.
  private let configuration: [UInt8]
  let unixSocket: String?
  /// Options of the administrator's.
  let more: [String]
  let work: PullWork
  let isInterrupted: () -> Bool

  /// More than any token of the service has.
  private static let maximumTokenSize = 3000
  /// In bytes, of both: what a pipe holds without a reader, pipe(7).
  private static let maximumConfiguration = 4096

  /// For a pull, with a folder of its own; what pulls have left there that were killed is removed.
  ///
  /// - Parameter unusable: what is to be said of a directory in which no folder can be made, and why.
  /// - Throws: a `Failure` that names what is wrong.
  init(
    _ options: PullRun.Options, isInterrupted: @escaping () -> Bool, unusable: (String) -> String
  ) throws {
    configuration = try Self.configuration(options.url, options.tokenFile.map(Self.token))
    do throws(SystemError) { work = try PullWork(in: options.directory) } catch {
      throw Failure(description: unusable(SystemCalls.describe(error.errno)))
    }
    (unixSocket, more) = (options.unixSocket, options.curlOptions)
    self.isInterrupted = isInterrupted
    PullWork.removeLeftovers(in: options.directory)
  }

  private static func token(in file: String) throws -> String {
    let line: [UInt8]
    do { line = try SmallFile.firstLine(of: file, atMost: maximumTokenSize) } catch {
      throw Failure(description: "--token-file \(file): \(error)")
    }
    guard !line.isEmpty, line.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
      throw Failure(description: "--token-file \(file): its first line is no token")
    }
    return String(decoding: line, as: UTF8.self)
  }

  private static func configuration(_ url: BackupURL, _ token: String?) throws -> [UInt8] {
    let header = token.map { "header = \("Authorization: Bearer \($0)".quoted)\n" } ?? ""
    let bytes = Array("url = \(url.text.quoted)\n\(header)".utf8)
    guard bytes.count <= maximumConfiguration else {
      throw Failure(
        description:
          "the URL\(token == nil ? " has" : " and the token have") \(bytes.count) bytes as curl gets them, and "
          + "it can get \(maximumConfiguration): give a shorter one")
    }
    return bytes
  }

  /// Gets all attempts of a request to their end, so the body is `body` in the folder.
  ///
  /// - Parameters:
  ///   - pause: between two attempts, in milliseconds at the least.
  ///   - transferred: counts the bytes of all attempts.
  ///   - meanwhile: what there is to do with what has come, a little of it, ten times a second.
  /// - Throws: a `Failure` that says what to do; `PullInterruption`.
  func fetch(
    _ request: FetchRequest, pause: Int64, explain: (Attempt.Refusal) -> Failure, transferred: inout UInt64,
    meanwhile: () -> Void
  ) throws -> Attempt.Next {
    var request = request
    var number = 1
    while true {
      if request.part == nil { work.remove("body") }
      let before = work.size("body")
      let exitStatus = try run(request, meanwhile)
      let after = work.size("body")
      transferred += after - min(before, after)
      let head = AnswerHead(work.beginning(of: "head"))
      let attempt = Attempt(request, exitStatus: exitStatus, head, byteCount: after, number: number)
      switch attempt.next {
      case .retry(let next, let seconds):
        try wait(max(pause, Int64(seconds) * 1000))
        request = next
        number += 1
      case .fail(let refusal): throw explain(refusal)
      case let next: return next
      }
    }
  }

  /// One transfer. If it breaks, curl ends with 18 or 56.
  private func run(_ request: FetchRequest, _ meanwhile: () -> Void) throws -> CInt {
    let isTerminal = isatty(STDERR_FILENO) == 1
    let part = request.part == nil ? [] : ["--continue-at", "-"]
    let arguments =
      self.arguments(request) + ["--output", work.file("body")] + part
      + (isTerminal ? ["--progress-bar"] : ["--silent"])
    let input = try ChildProcess.pipe(holding: configuration)
    let output = try work.makeFile("error")
    let end: ChildProcess.End
    do throws(SystemError) {
      end = try ChildProcess.run(
        "curl", arguments,
        ChildProcess.Streams(input: input.rawValue, output: output.rawValue),
        variables: ProgramVariables.plain.include, isInterrupted: isInterrupted,
        meanwhile: meanwhile)
    } catch {
      throw Failure(description: "curl cannot be run: \(error); install curl")
    }
    if isInterrupted() { throw PullInterruption() }
    return try Self.status(of: end)
  }

  /// What is the same for every transfer; the head of the answer is then `head` in the folder.
  private func arguments(_ request: FetchRequest, errorsTo place: String = "") -> [String] {
    work.remove("head")
    var arguments = [
      "--fail", "--globoff", "--proto", "=http,https", "--connect-timeout", "30", "--speed-limit", "1",
      "--speed-time", "300", "--config", "-", "--dump-header", work.file("head"),
      "--write-out", "%{onerror}\(place)curl: (%{exitcode}) %{errormsg}\n",
    ]
    if let unixSocket { arguments += ["--unix-socket", unixSocket] }
    arguments += more
    for field in request.fields { arguments += ["--header", field] }
    return arguments
  }

  private static func status(of end: ChildProcess.End) throws -> CInt {
    switch end {
    case .exited(let status): return status
    case .signalled(let signal): throw Failure(description: "curl was ended by signal \(signal)")
    }
  }

  /// One transfer into a pipe, from a byte on; what curl says is then `error` in the folder.
  ///
  /// - Parameter body: gets each piece.
  /// - Returns: curl's exit status.
  /// - Throws: a `Failure`; `PullInterruption`; what `body` throws, after curl was ended.
  func stream(_ request: FetchRequest, from offset: UInt64, _ body: ([UInt8]) throws -> Void) throws -> CInt {
    let part = request.part == nil ? [] : ["--continue-at", "\(offset)"]
    let arguments =
      self.arguments(request, errorsTo: "%{stderr}") + ["--output", "-", "--silent", "--no-buffer"] + part
    let input = try ChildProcess.pipe(holding: configuration)
    let error = try work.makeFile("error")
    let ends = try SystemCalls.pipe()
    let reading = Descriptor(owning: ends[0])
    let child: ChildProcess.Running
    do throws(SystemError) {
      let writing = Descriptor(owning: ends[1])
      let streams = ChildProcess.Streams(
        input: input.rawValue, output: writing.rawValue, error: error.rawValue)
      child = try ChildProcess.Running(
        "curl", arguments, streams, variables: ProgramVariables.plain.include)
    } catch {
      throw Failure(description: "curl cannot be run: \(error); install curl")
    }
    do {
      while true {
        if isInterrupted() { throw PullInterruption() }
        guard SystemCalls.isReadable(reading.rawValue, within: Self.millisecondsPerLook) else { continue }
        guard let piece = try SystemCalls.readSome(reading.rawValue, Self.pieceSize) else { continue }
        if piece.isEmpty { break }
        try body(piece)
      }
    } catch {
      child.send(SIGKILL)
      _ = try child.wait()
      throw error
    }
    return try Self.status(of: try child.wait(isInterrupted: isInterrupted))
  }

  private static let pieceSize = 64 << 10
  private static let millisecondsPerLook: CInt = 100

  func wait(_ milliseconds: Int64) throws {
    let end = ContinuousClock.now + .milliseconds(milliseconds)
    while ContinuousClock.now < end {
      if isInterrupted() { throw PullInterruption() }
      usleep(50_000)
    }
  }
}

/// A signal ended the pull.
struct PullInterruption: Error {}
