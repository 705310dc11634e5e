import CSystemd
import Glibc

/// The system's journal.
package enum Journal {
  /// Whether what is written to standard error goes to the journal.
  ///
  /// `JOURNAL_STREAM` holds the device and inode of the stream that the journal reads: systemd.exec(5).
  package static func isStandardError() -> Bool {
    guard let stream = unsafe getenv("JOURNAL_STREAM") else { return false }
    var status = stat()
    guard unsafe fstat(STDERR_FILENO, &status) == 0 else { return false }
    return unsafe String(cString: stream) == "\(status.st_dev):\(status.st_ino)"
  }

  /// Writes one entry; blocks for as long as the journal takes to accept it.
  ///
  /// The corresponding C function is `sd_journal_sendv`; the names are those of systemd.journal-fields(7).
  /// - Parameter fields: names in capitals, each with a value that may hold anything.
  /// - Returns: whether the journal took it.
  package static func send(_ fields: [(name: String, value: String)]) -> Bool {
    let lines = assignments(fields)
    // All lines in one piece of memory that stays where it is for the call.
    var bytes = lines.flatMap { $0 }
    return unsafe bytes.withUnsafeMutableBytes { buffer in
      var offset = 0
      let vectors = unsafe lines.map { line in
        defer { offset += line.count }
        return unsafe iovec(iov_base: buffer.baseAddress.map { unsafe $0 + offset }, iov_len: line.count)
      }
      return unsafe sd_journal_sendv(vectors, CInt(vectors.count)) == 0
    }
  }
  /// `NAME=value` for each field, in bytes, as `sd_journal_sendv` reads them: a value may have lines.
  static func assignments(_ fields: [(name: String, value: String)]) -> [[UInt8]] {
    fields.map { Array("\($0.name)=\($0.value)".utf8) }
  }
}
