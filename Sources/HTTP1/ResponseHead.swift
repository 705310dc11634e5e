/// A status line and the header section after it.
///
/// Whatever this encodes is one head: names and values were checked when each `FieldLine` was made.
///
/// RFC 9112 §4.
package struct ResponseHead: Sendable, Hashable {
  /// The answer in three digits.
  package var status: Status
  /// The field lines in the order in which they are sent.
  package var fields: [FieldLine]

  /// Begins a head.
  package init(_ status: Status, fields: [FieldLine] = []) {
    self.status = status
    self.fields = fields
  }

  /// Adds a line after the others; traps as `FieldLine` does.
  package mutating func add(_ name: String, _ value: String) {
    fields.append(FieldLine(name: name, value: value))
  }

  /// Puts one line in the place of all that have this name; traps as `FieldLine` does.
  package mutating func set(_ name: String, _ value: String) {
    fields.removeAll { $0.isNamed(name) }
    add(name, value)
  }

  /// The values of every field line called `name`, in their order.
  package func values(_ name: String) -> [String] {
    fields.filter { $0.isNamed(name) }.map(\.value)
  }

  /// Appends the head as it is sent, the empty line included.
  ///
  /// The version is always ours: RFC 9110 §6.2, "A server SHOULD send a response version equal to the highest
  /// version to which the server is conformant", to a client of HTTP/1.0 too.
  ///
  /// RFC 9112 §4 and §5.
  package func encode(into bytes: inout [UInt8]) {
    // HTTP-version SP status-code SP [ reason-phrase ] CRLF
    bytes.append(contentsOf: "HTTP/1.1 ".utf8)
    bytes.append(UInt8(ascii: "0") + UInt8(status.code / 100))
    bytes.append(UInt8(ascii: "0") + UInt8(status.code / 10 % 10))
    bytes.append(UInt8(ascii: "0") + UInt8(status.code % 10))
    bytes.append(.space)
    bytes.append(contentsOf: status.reasonPhrase.utf8)
    Self.endLine(&bytes)
    Self.encode(fields, into: &bytes)
  }

  /// Appends a header section or a trailer section, the empty line after it included.
  ///
  /// RFC 9112 §5 and §7.1.2.
  static func encode(_ fields: [FieldLine], into bytes: inout [UInt8]) {
    for field in fields {
      // field-name ":" OWS field-value OWS CRLF
      bytes.append(contentsOf: field.name.utf8)
      bytes.append(.colon)
      bytes.append(.space)
      bytes.append(contentsOf: field.value.utf8)
      endLine(&bytes)
    }
    endLine(&bytes)
  }

  @inline(__always)
  private static func endLine(_ bytes: inout [UInt8]) {
    bytes.append(.carriageReturn)
    bytes.append(.lineFeed)
  }
}
