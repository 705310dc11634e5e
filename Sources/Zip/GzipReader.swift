package import System

/// Reads a gzip file of one member from its beginning to its end.
///
/// RFC 1952.
package final class GzipReader {
  /// What is wrong with a file.
  package enum Fault: Error, Equatable, CustomStringConvertible {
    case broken
    case truncated
    /// Something stands behind the member.
    case notAtEnd

    package var description: String {
      switch self {
      case .broken: "it is no gzip file, or its content is not what its checksum says"
      case .truncated: "the gzip file ends too early"
      case .notAtEnd: "something stands behind the end of the gzip file"
      }
    }
  }

  /// In bytes, of the file and of its content.
  private static let pieceSize = 256 << 10

  private let file: Descriptor
  private let inflater: Inflater
  private var input: ArraySlice<UInt8> = []
  private var offset: UInt64 = 0

  /// - Throws: ``ZipError/zlib(code:)``.
  package init(_ file: consuming Descriptor) throws(ZipError) {
    self.file = file
    inflater = try Inflater(.gzip)
  }

  /// The next bytes of the content; nil after the last.
  ///
  /// - Parameter grows: whether more of the file may come. Then there may be no bytes yet.
  /// - Throws: `Fault`; `SystemError`.
  package func next(grows: Bool = false) throws -> [UInt8]? {
    while !inflater.isFinished {
      if input.isEmpty {
        input = try file.read(Self.pieceSize, at: offset)[...]
        offset += UInt64(input.count)
      }
      let isLast = input.isEmpty
      guard let (output, used) = inflater.inflate(input, capacity: Self.pieceSize) else { throw Fault.broken }
      input.removeFirst(used)
      if !output.isEmpty { return output }
      guard !isLast || inflater.isFinished else {
        if grows { return [] }
        throw Fault.truncated
      }
    }
    guard input.isEmpty, try file.read(1, at: offset).isEmpty else { throw Fault.notAtEnd }
    return nil
  }
}
