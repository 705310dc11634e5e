/// The names of an archive's members: none twice, and none that makes a file of another's directory.
///
/// By bytes: two strings may be equal and yet name two files.
struct MemberNames {
  private var files: Set<[UInt8]> = []
  private var directories: Set<[UInt8]> = []

  mutating func insert(_ name: String, at offset: UInt64) throws(ZipReadError) {
    var path = Array(name.utf8)
    let isDirectory = path.last == UInt8(ascii: "/")
    if isDirectory { path.removeLast() }
    guard !files.contains(path), isDirectory || !directories.contains(path) else {
      throw ZipReadError(files.contains(path) ? .duplicateName : .fileAsDirectory, member: name, at: offset)
    }
    for end in path.indices where path[end] == UInt8(ascii: "/") {
      let parent = Array(path[..<end])
      guard !files.contains(parent) else { throw ZipReadError(.fileAsDirectory, member: name, at: offset) }
      directories.insert(parent)
    }
    if isDirectory { directories.insert(path) } else { files.insert(path) }
  }
}
