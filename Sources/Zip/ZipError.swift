/// Why an archive could not be written. After one, the archive is not whole and must not pass for it.
package enum ZipError: Error, Equatable, Sendable {
  /// What makes a name unsafe to unpack.
  package enum NameFault: Equatable, Sendable {
    case empty, absolute, emptyComponent, dotComponent, backslash, controlCharacter, driveLetter, tooLong
  }

  /// The name could lead an unpacking program astray.
  case unsafeName(String, NameFault)
  /// The archive already has a member of exactly this name.
  case duplicateName(String)
  /// A member of more than 256 TiB.
  case memberTooLarge(String, size: UInt64)
  /// More or fewer bytes were given than the entry's size.
  case wrongSize(String, expected: UInt64, given: UInt64)
  /// The deflate stream has no last block, or has blocks after it.
  case brokenStream(String)
  /// The compressed data outgrew the four-byte sizes promised by the local header.
  case outgrownSizes(String)
  /// A member was begun, or the archive finished, while this member had not ended.
  case memberNotEnded(String)
  /// Data was added, or a member ended, before any was begun.
  case noMember
  /// More than ``DeflateEngine/blockSize`` bytes were given as one block.
  case blockTooLarge(byteCount: Int)
  /// zlib refused; the code is its own.
  case zlib(code: Int32)
  /// ISA-L refused; the code is its own.
  case isal(code: Int32)
}

extension ZipError: CustomStringConvertible {
  /// What was asked, what happened and what to do, for people.
  package var description: String {
    switch self {
    case .unsafeName(let name, let fault):
      "cannot put \(Self.quoted(name)) into the archive: \(fault); rename the file"
    case .duplicateName(let name):
      "cannot put \(Self.quoted(name)) into the archive twice: leave one of them out"
    case .memberTooLarge(let name, let size):
      "cannot put \(Self.quoted(name)) into the archive: it has \(size) bytes, and a member at most \(ZipEntry.maximumSize)"
    case .wrongSize(let name, let expected, let given):
      "\(Self.quoted(name)) was to have \(expected) bytes and got \(given): it changed while it was read; take the backup again"
    case .brokenStream(let name):
      "the blocks of \(Self.quoted(name)) are no whole stream: exactly the last one must be deflated as the last"
    case .outgrownSizes(let name):
      "\(Self.quoted(name)) grew past its four-byte sizes when compressed: cut it into blocks of \(DeflateEngine.blockSize) bytes"
    case .memberNotEnded(let name):
      "\(Self.quoted(name)) has not been ended: end it before the next member or the end of the archive"
    case .noMember:
      "there is no member to add to: begin one first"
    case .blockTooLarge(let byteCount):
      "cannot compress \(byteCount) bytes as one block: cut them into blocks of \(DeflateEngine.blockSize) bytes"
    case .zlib(let code):
      "zlib could not compress a block (code \(code)): the machine may be out of memory"
    case .isal(let code):
      "ISA-L could not compress a block (code \(code)): report it, with the level of compression"
    }
  }

  /// A name as one line of a log can bear it: control characters escaped, and not endless.
  static func quoted(_ name: String) -> String {
    let shown = name.unicodeScalars.prefix(200).map { $0.escaped(asASCII: false) }.joined()
    return "\"\(shown)\(name.unicodeScalars.count > 200 ? "…" : "")\""
  }
}

extension ZipError.NameFault: CustomStringConvertible {
  /// The fault in words that follow "cannot, because of this".
  package var description: String {
    switch self {
    case .empty: "the name is empty"
    case .absolute: "the name is absolute"
    case .emptyComponent: "the name has an empty component"
    case .dotComponent: "the name has a \".\" or \"..\" component"
    case .backslash: "the name has a backslash, which some programs take for a slash"
    case .controlCharacter: "the name has a control character"
    case .driveLetter: "the name begins with a drive letter"
    case .tooLong: "the name is longer than \(ZipEntry.maximumNameLength) bytes"
    }
  }
}
