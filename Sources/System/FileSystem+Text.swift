/// The same calls with a path that is text from a command line.
extension FileSystem {
  package static func status(_ path: String) throws(SystemError) -> Status { try status(BytePath(path)) }

  package static func isMissing(_ path: String) -> Bool { isMissing(BytePath(path)) }

  package static func target(_ link: String) -> Identity? { target(BytePath(link)) }

  package static func names(in directory: String, limit: Int) throws(SystemError) -> [BytePath] {
    try names(in: BytePath(directory), limit: limit)
  }

  package static func openArchive(_ path: String) throws(SystemError) -> Descriptor {
    try openArchive(BytePath(path))
  }
}
