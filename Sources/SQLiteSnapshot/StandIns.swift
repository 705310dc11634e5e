import CSQLite
import Glibc

/// Collations and functions in place of those that only a database's own application has, so that SQLite can look at what
/// does not depend on them. What does depend on them is not judged.
final class StandIns {
  private static let builtIn = ["BINARY", "NOCASE", "RTRIM"]
  /// The collations that SQLite missed.
  private(set) var collations: [String] = []

  /// The corresponding C functions are `sqlite3_collation_needed` and `sqlite3_create_collation_v2`.
  ///
  /// - Returns: SQLite's code.
  func install(on handle: OpaquePointer) -> Int32 {
    unsafe sqlite3_collation_needed(
      handle, Unmanaged.passUnretained(self).toOpaque(),
      { context, handle, _, name in
        guard let context = unsafe context, let name = unsafe name else { return }
        // It has those for UTF-8 and makes the others of them, but asks first.
        guard !StandIns.builtIn.contains(where: { unsafe sqlite3_stricmp($0, name) == 0 }) else {
          return
        }
        unsafe Unmanaged<StandIns>.fromOpaque(context).takeUnretainedValue().collations.append(
          String(cString: name))
        // If this fails, SQLite says once more that there is none.
        _ = unsafe sqlite3_create_collation_v2(
          handle, name, SQLITE_UTF8, nil,
          { _, firstSize, first, secondSize, second in
            let common = Int(min(firstSize, secondSize))
            if common > 0, let first = unsafe first, let second = unsafe second {
              let order = unsafe memcmp(first, second, common)
              if order != 0 { return order }
            }
            return firstSize - secondSize
          }, nil)
      })
  }

  /// - Returns: SQLite's code.
  static func add(function name: String, to handle: OpaquePointer) -> Int32 {
    unsafe sqlite3_create_function_v2(
      handle, name, -1, SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS, nil,
      { context, _, _ in unsafe sqlite3_result_null(context) }, nil, nil, nil)
  }
}
