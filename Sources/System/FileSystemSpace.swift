import Glibc

/// How much room the file system of a file has.
///
/// The corresponding C function is `statvfs`.
package struct FileSystemSpace: Sendable {
  /// Tells one file system from another.
  package let id: UInt
  /// What a process without privileges may still write, in bytes.
  package let available: UInt64
  /// In bytes.
  package let total: UInt64

  /// Whether so little room is left that what another program could not write says nothing but that.
  package var isFull: Bool { available < 1 << 20 }
}

extension FileSystemSpace {
  /// - Returns: nil if the file system does not say, as some in user space do not.
  package init?(of path: BytePath) {
    var status = statvfs()
    guard unsafe statvfs(path.cString, &status) == 0 else { return nil }
    let (available, isTooLarge) = UInt64(status.f_bavail).multipliedReportingOverflow(
      by: UInt64(status.f_frsize))
    let (total, isTotalTooLarge) = UInt64(status.f_blocks).multipliedReportingOverflow(
      by: UInt64(status.f_frsize))
    guard !isTooLarge, !isTotalTooLarge, total > 0 else { return nil }
    id = UInt(status.f_fsid)
    self.available = available
    self.total = total
  }
}
