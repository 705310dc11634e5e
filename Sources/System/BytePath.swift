/// A path, or one name of one, as the bytes that name a file: any but 0 and, in a name, `/`.
///
/// Linux and zip compare names byte by byte. Swift compares strings by Character instead: two names that look the same are
/// equal, a slash before a combining mark is no slash, and what is not UTF-8 has no string at all. So a path is never split,
/// joined or compared as a `String`. Nothing is normalised: `a//b`, `a/b` and `a/b/` are three names in a zip.
package struct BytePath: Hashable, Sendable {
  private static let slash = UInt8(ascii: "/")

  package let bytes: [UInt8]

  package init(_ bytes: [UInt8]) { self.bytes = bytes }
  package init(_ text: String) { bytes = Array(text.utf8) }
  private init(_ bytes: ArraySlice<UInt8>) { self.bytes = Array(bytes) }

  package var isEmpty: Bool { bytes.isEmpty }
  package var isAbsolute: Bool { bytes.first == Self.slash }

  // MARK: parts

  /// What stands between the slashes, so an empty one where two follow one another, or one begins or ends the path.
  package var components: [BytePath] {
    bytes.split(separator: Self.slash, omittingEmptySubsequences: false).map(BytePath.init)
  }

  /// The last component.
  package var name: BytePath {
    bytes.lastIndex(of: Self.slash).map { BytePath(bytes[($0 + 1)...]) } ?? self
  }

  /// All before the last slash; nil for a path without one.
  package var parent: BytePath? { bytes.lastIndex(of: Self.slash).map { BytePath(bytes[..<$0]) } }

  /// The folders on the way to it, the innermost first.
  package var ancestors: some Sequence<BytePath> {
    sequence(state: self) { path in
      guard let parent = path.parent else { return nil }
      path = parent
      return parent
    }
  }

  /// Whether every component is a name that a directory can have: none is empty, `.` or `..`, and no byte is 0.
  package var isRelativeAndPlain: Bool {
    !bytes.contains(0) && !components.contains { $0.isEmpty || $0 == "." || $0 == ".." }
  }

  /// Whether it is `folder` itself or lies within: `a/b` lies in `a`, and `ab` does not.
  package func lies(in folder: BytePath) -> Bool {
    bytes.starts(with: folder.bytes)
      && (bytes.count == folder.bytes.count || bytes[folder.bytes.count] == Self.slash)
  }

  package func hasPrefix(_ prefix: BytePath) -> Bool { bytes.starts(with: prefix.bytes) }

  package func hasSuffix(_ suffix: BytePath) -> Bool {
    bytes.suffix(suffix.bytes.count).elementsEqual(suffix.bytes)
  }

  /// The path without a suffix; nil if it does not end so.
  package func removing(suffix: BytePath) -> BytePath? {
    hasSuffix(suffix) ? BytePath(bytes.dropLast(suffix.bytes.count)) : nil
  }

  // MARK: making

  /// What is called `name` in this folder. In the empty path, which stands for the folder that paths are relative to, it is
  /// the name alone.
  package func appending(_ name: BytePath) -> BytePath {
    isEmpty ? name : BytePath(bytes + [Self.slash] + name.bytes)
  }

  /// The bytes of both, as a database's name and `-wal`.
  package static func + (path: BytePath, suffix: BytePath) -> BytePath { BytePath(path.bytes + suffix.bytes) }

  // MARK: other forms

  /// The same bytes as text; nil if they are not UTF-8.
  package var string: String? { String(validating: bytes, as: UTF8.self) }

  /// As text for a manifest or a field of JSON: what is not UTF-8 becomes U+FFFD.
  package var lossyString: String { String(decoding: bytes, as: UTF8.self) }

  /// With the zero at its end that C functions ask for.
  package var cString: [CChar] { bytes.map { CChar(bitPattern: $0) } + [0] }
}

extension BytePath: ExpressibleByStringLiteral {
  package init(stringLiteral text: String) { self.init(text) }
}

extension BytePath: Comparable {
  /// By bytes, as `LC_ALL=C ls` sorts.
  package static func < (left: BytePath, right: BytePath) -> Bool {
    left.bytes.lexicographicallyPrecedes(right.bytes)
  }
}

extension BytePath: CustomStringConvertible {
  /// For one line of a log or a message.
  package var description: String { printable(lossyString) }
}

/// Text from outside, fit for one line of a log or a message: what ends a line or changes how it is shown becomes `?`.
package func printable(_ text: String) -> String {
  String(
    String.UnicodeScalarView(
      text.unicodeScalars.map { scalar in
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator: "?"
        default: scalar
        }
      }))
}
