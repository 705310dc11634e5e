import System

/// The names of an archive's members: none twice, and none that makes a file of another's directory.
enum MemberNames {
  /// Compares every name with every other, by bytes: two strings may be equal and yet name two files.
  ///
  /// - Parameter members: a directory's name ends with a slash.
  static func check(_ members: [(name: String, offset: UInt64)]) throws(ZipReadError) {
    // In an order in which what is inside a directory follows it at once.
    let rank = { (byte: UInt8) in byte == UInt8(ascii: "/") ? 0 : byte }
    let sorted = members.map { (path: BytePath($0.name), member: $0) }.sorted {
      $0.path.bytes.lexicographicallyPrecedes($1.path.bytes) { rank($0) < rank($1) }
    }
    for (first, second) in zip(sorted, sorted.dropFirst()) where second.path.lies(in: first.path) {
      throw ZipReadError(
        second.path == first.path ? .duplicateName : .fileAsDirectory, member: second.member.name,
        at: second.member.offset)
    }
  }
}
