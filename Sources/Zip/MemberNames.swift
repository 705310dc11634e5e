/// The names of an archive's members: none twice, and none that makes a file of another's directory.
enum MemberNames {
  /// Compares every name with every other, by bytes: two strings may be equal and yet name two files.
  ///
  /// - Parameter members: a directory's name ends with a slash.
  static func check(_ members: [(name: String, offset: UInt64)]) throws(ZipReadError) {
    // In an order in which what is inside a directory follows it at once.
    let rank = { (byte: UInt8) in byte == UInt8(ascii: "/") ? 0 : byte }
    let sorted = members.sorted {
      $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) { rank($0) < rank($1) }
    }
    for (first, second) in zip(sorted, sorted.dropFirst()) {
      guard second.name.utf8.starts(with: first.name.utf8) else { continue }
      let rest = second.name.utf8.dropFirst(first.name.utf8.count)
      if rest.isEmpty { throw ZipReadError(.duplicateName, member: second.name, at: second.offset) }
      if rest.first == UInt8(ascii: "/") {
        throw ZipReadError(.fileAsDirectory, member: second.name, at: second.offset)
      }
    }
  }
}
