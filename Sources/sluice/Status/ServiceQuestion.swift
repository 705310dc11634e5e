import Archive
import EventLoop
import FoundationEssentials
import Pull
import Service
import System

/// The question to one service how it is.
struct ServiceQuestion {
  /// As it is shown: without a password.
  private let address: String
  private let way: Way

  private enum Way {
    case plain(ServiceRequest)
    case secure(SecureRequest)
  }

  /// 10,000 databases with long names.
  private static let maximumAnswerSize = 16 << 20
  private static let lastNames: Set<String> = ["status.json", "healthz", "metrics"]

  /// - Returns: nil if it is no address of a service.
  init?(_ text: String) {
    if let request = ServiceRequest(text, lastNames: Self.lastNames) {
      (address, way) = (text, .plain(request))
    } else if let request = SecureRequest(text, lastNames: Self.lastNames) {
      (address, way) = (BackupURL(text, isWhole: true)?.shown ?? "https", .secure(request))
    } else {
      return nil
    }
  }

  /// Asks, and waits for the answer.
  ///
  /// - Parameter maxAge: of the last complete backup.
  func row(_ token: String?, timeout: Duration, maxAge: Duration) -> StatusRow {
    var (document, status): ([UInt8]?, ServiceStatus?)
    var problem: String?
    do {
      let answer = try answer(token, timeout)
      if answer.status == 200, let read = ServiceStatus(answer.content) {
        (document, status) = (answer.content, read)
      } else {
        problem =
          switch answer.status {
          case 200: "it has no status of a format that this version reads"
          case 404: "it has no /status.json, or a proxy before it does not pass that on"
          case 401: token == nil ? "it needs a token: give --token-file" : "it does not accept this token"
          default: "it answers with \(answer.status)"
          }
      }
    } catch {
      problem = "no answer: \(error)"
    }
    return StatusRow(
      name: address, code: status.map { Self.code($0, maxAge) } ?? 1,
      words: status.map { Self.words($0, maxAge) } ?? "FAILED: \(problem ?? "")",
      json: json(problem, document))
  }

  private func answer(_ token: String?, _ timeout: Duration) throws -> ServiceRequest.Answer {
    let (target, limit) = ("/status.json", Self.maximumAnswerSize)
    return switch way {
    case .plain(let request): try request.answer(to: target, token: token, atMost: limit, timeout: timeout)
    case .secure(let request): try request.answer(to: target, token: token, atMost: limit, timeout: timeout)
    }
  }

  /// A backup that is dated farther ahead says nothing of the present: the service's clock was ahead.
  private static let mostAhead = Duration.seconds(-Timestamp.drift)

  private static func code(_ status: ServiceStatus, _ maxAge: Duration) -> Int32 {
    guard status.status == "ok", let last = status.lastComplete,
      mostAhead...maxAge ~= Duration.seconds(status.time - last.ended)
    else { return 1 }
    return status.directory?.skipped.isEmpty ?? true ? 0 : 3
  }

  private static func words(_ status: ServiceStatus, _ maxAge: Duration) -> String {
    var parts: [String] = []
    if let last = status.lastComplete {
      let age = Duration.seconds(status.time - last.ended)
      parts.append(
        (age < mostAhead
          ? "last complete backup DATED IN THE FUTURE"
          : "last complete backup \(age > maxAge ? "LATE, " : "")\(PageWords.age(status.time - last.ended)) ago")
          + (last.bytes.map { ", \(PageWords.size($0))" } ?? ""))
    } else {
      parts.append("NO complete backup known")
    }
    if let directory = status.directory {
      parts.append(counted(directory.databases.count, "database"))
      if !directory.skipped.isEmpty {
        let names = directory.skipped.prefix(3).map { "\($0.path) (\($0.reason))" }
        let more = directory.skipped.count > names.count ? ", …" : ""
        parts.append("\(directory.skipped.count) SKIPPED: \(names.joined(separator: ", "))\(more)")
      }
    }
    if !status.underWay.isEmpty { parts.append("\(status.underWay.count) under way") }
    if let detail = status.detail { parts.append(detail) }
    return "\(status.name) \(status.status): \(parts.joined(separator: "; "))"
  }

  /// The document as the service has sent it.
  private func json(_ problem: String?, _ document: [UInt8]?) -> String {
    let text = { (text: String?) in
      text.map { String(decoding: (try? JSONEncoder().encode($0)) ?? Data(), as: UTF8.self) } ?? "null"
    }
    let document = document.map { String(decoding: $0, as: UTF8.self) }?.dropLast() ?? "null"
    return "{\"address\":\(text(address)),\"problem\":\(text(problem)),\"status\":\(document)}"
  }
}

/// What `sluice status` reads of a service's `/status.json`.
private struct ServiceStatus: Decodable {
  struct Complete: Decodable {
    let ended: Int
    let bytes: UInt64?
  }

  struct Directory: Decodable {
    struct Database: Decodable {}
    struct Skipped: Decodable {
      let path: String
      let reason: String
    }

    let databases: [Database]
    let skipped: [Skipped]
  }

  struct UnderWay: Decodable {}

  let format: Int
  let name: String
  let status: String
  let detail: String?
  let time: Int
  let lastComplete: Complete?
  let underWay: [UnderWay]
  let directory: Directory?

  enum CodingKeys: String, CodingKey {
    case format, name, status, detail, time, directory
    case lastComplete = "last_complete"
    case underWay = "under_way"
  }

  init?(_ text: [UInt8]) {
    guard let status = try? JSONDecoder().decode(Self.self, from: Data(text)),
      status.format == StatusReport.format
    else { return nil }
    self = status
  }
}
