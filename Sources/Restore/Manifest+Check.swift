import Archive
import System

extension Manifest {
  /// What is wrong with it, whatever the entries are.
  ///
  /// - Parameter version: the content of `VERSION`, if there is one.
  func faults(version: [UInt8]?) -> [String] {
    var faults: [String] = []
    if let version, version != Array((appVersion + "\n").utf8) {
      faults.append("VERSION is not what the manifest says (app_version)")
    }
    if complete != skipped.isEmpty {
      faults.append(
        "the manifest contradicts itself: it is \(complete ? "" : "not ")complete, and skipped \(skipped.count)"
      )
    }
    return faults
  }
}

extension Manifest.Entry {
  /// What is wrong with an entry of an archive of which this is said; nil if nothing is.
  func fault(size: UInt64, sha256: String, crc32: UInt32) -> String? {
    if size != self.size { return "has \(size) bytes, and \(self.size) in the manifest" }
    if sha256 != self.sha256 { return "its SHA-256 is not what the manifest says" }
    if crc32.hexadecimal != self.crc32 { return "its CRC-32 is not what the manifest says" }
    if let database,
      UInt64(max(0, database.pageSize)).multipliedReportingOverflow(by: UInt64(database.pageCount)) != (
        size, false
      )
    {
      return "has not as many pages as the manifest says"
    }
    return nil
  }
}
