package import Archive
package import HTTP1
import Zip

extension BackupSession.Request {
  /// Reads the query; what it does not know it refuses, so that a slip of the pen is no smaller backup.
  package init(_ target: RequestTarget) throws(HTTPError) {
    self.init()
    for item in target.query {
      switch item.name {
      case "db":
        databases = (databases ?? []) + [item.value]
      case "compression" where compression == nil:
        guard let value = Compression(rawValue: item.value) else {
          throw HTTPError(.badRequest, "compression is one of store, fast, default and best.")
        }
        compression = value
      case "strict" where strict == nil:
        guard item.value == "1" || item.value == "0" else {
          throw HTTPError(.badRequest, "strict is 1 or 0.")
        }
        strict = item.value == "1"
      case "resume" where !item.value.isEmpty:
        // Compared with the rest of the target: see `ResumeRequest.match`.
        break
      default:
        throw HTTPError(
          .badRequest,
          "The query has db (repeatable), compression, strict and resume, and nothing else.")
      }
    }
  }
}
