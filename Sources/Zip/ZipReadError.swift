import System

/// Why an archive is not read on: what is wrong, in which member and where.
package struct ZipReadError: Error, Equatable, Sendable {
  /// What is wrong.
  package let fault: Fault
  /// The member's name as the archive has it; `nil` when it concerns none.
  package let member: String?
  /// Where in the archive, in bytes from its start.
  package let offset: UInt64

  init(_ fault: Fault, member: String? = nil, at offset: UInt64) {
    self.fault = fault
    self.member = member
    self.offset = offset
  }

  /// What can be wrong with an archive.
  package enum Fault: Error, Equatable, Sendable {
    /// The system could not read it; the number is `errno`.
    case unreadable(Int32)
    /// Neither a member nor the end of an empty archive stands at the beginning.
    case noArchive
    /// It ends within something that it began.
    case truncated
    /// Something else stands where a record must be; the record's name.
    case missing(String)
    /// Bytes that belong to nothing stand here; how many.
    case extraBytes(UInt64)
    /// A record or a member's data reaches into what comes after it.
    case overlap
    /// The central directory has another value than what stands at the member; the field's name.
    case disagreement(String)
    /// A field has a value that it cannot have; what and why, in words.
    case invalid(String)
    /// Another program packed the data in a way that this reader does not know, and nothing is known to be wrong; the way, in words.
    case undecodable(String)
    /// Something that this reader refuses although others may read it; what, in words.
    case unsupported(String)
    /// The name could lead an unpacking program astray.
    case unsafeName(ZipError.NameFault)
    /// Another member has this name.
    case duplicateName
    /// Another member's name goes through this one as if it were a directory.
    case fileAsDirectory
    /// It is a link, a device or the like; its Unix mode.
    case notARegularFile(mode: UInt16)
    /// More members than the limit.
    case tooManyMembers(limit: Int)
    /// The central directory, or what the names of a pipe's members come to, has more bytes than the limit.
    case directoryTooLarge(limit: UInt64)
    /// More bytes of data than the limit.
    case tooLarge(limit: UInt64)
    /// No data is deflated so far: 1032 to 1 is the end.
    case impossibleRatio
    /// The data is no deflate stream.
    case brokenStream
    /// The data has another length than the archive says.
    case wrongSize(expected: UInt64, found: UInt64)
    /// The data has another CRC-32 than the archive says.
    case wrongCRC(expected: UInt32, found: UInt32)
  }
}

extension ZipReadError: CustomStringConvertible {
  /// What is wrong, in which member and where, for people.
  package var description: String {
    (member.map { ZipError.quoted($0) + ": " } ?? "") + "\(fault) (at byte \(offset))"
  }
}

extension ZipReadError.Fault: CustomStringConvertible {
  /// The fault in words.
  package var description: String {
    switch self {
    case .unreadable(let number): "the archive cannot be read: \(SystemCalls.describe(number))"
    case .noArchive: "it does not begin as an archive does"
    case .truncated: "the archive is cut off"
    case .missing(let record): "there is no \(record) where one must be"
    case .extraBytes(let count): "\(counted(count, "byte")) of no record"
    case .overlap: "it overlaps what comes after it"
    case .disagreement(let field): "the central directory and the member itself disagree on the \(field)"
    case .invalid(let what): what
    case .undecodable(let what): "another program packed it with \(what), which is not supported"
    case .unsupported(let what): "\(what), which is not supported"
    case .unsafeName(let fault): "\(fault)"
    case .duplicateName: "the name is there twice"
    case .fileAsDirectory: "it is a file, and another member's name has it for a directory"
    case .notARegularFile(let mode): "it is no regular file (Unix mode \(String(mode, radix: 8)))"
    case .tooManyMembers(let limit): "more than \(limit) members"
    case .directoryTooLarge(let limit): "a central directory of more than \(limit) bytes"
    case .tooLarge(let limit): "more than \(limit) bytes of data"
    case .impossibleRatio: "a size that no deflate stream of this length can have"
    case .brokenStream: "the compressed data is damaged"
    case .wrongSize(let expected, let found): "\(counted(found, "byte")) of data instead of \(expected)"
    case .wrongCRC(let expected, let found):
      "CRC-32 \(String(found, radix: 16)) where \(String(expected, radix: 16)) was promised"
    }
  }
}
