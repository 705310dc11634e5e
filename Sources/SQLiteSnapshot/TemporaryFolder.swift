internal import CSQLite
internal import Glibc

/// Makes a folder that only we can enter. The corresponding C function is `mkdtemp`.
func temporaryFolder(in directory: String) throws(SQLiteError) -> String {
  var template = Array((directory + "/sluice-XXXXXX").utf8CString)
  let isMade = unsafe mkdtemp(&template) != nil
  let reason = errno
  guard isMade else {
    throw SQLiteError(
      code: SQLITE_CANTOPEN, message: "no spool in \(directory): \(describe(reason)); see --spool-directory")
  }
  return String(decoding: template.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
