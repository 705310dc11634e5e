/// What went wrong, for programs and people alike.
///
/// RFC 9457.
package struct Problem: Sendable {
  /// The media type to send it as. RFC 9457 §6.1.
  package static let mediaType = "application/problem+json"

  /// A URI that names the kind of problem; `about:blank` when the status says it all. RFC 9457 §4.2.1.
  package var type: String
  /// The kind of problem in a few words, always the same for one type. RFC 9457 §3.1.3.
  package var title: String
  /// The status it is sent with.
  package var status: Status
  /// This occurrence, explained: what was asked, what happened and what to do.
  package var detail: String
  /// Further members, named unlike the four above. RFC 9457 §3.2.
  package var extensions: [(name: String, value: JSONValue)]

  /// Describes a problem; with the type `about:blank` the title "SHOULD be the same as the recommended HTTP
  /// status phrase" (RFC 9457 §4.2.1), which it is if none is given.
  package init(
    type: String = "about:blank", title: String? = nil, status: Status, detail: String,
    extensions: [(name: String, value: JSONValue)] = []
  ) {
    self.type = type
    self.title = title ?? status.reasonPhrase
    self.status = status
    self.detail = detail
    self.extensions = extensions
  }

  /// The content to send.
  package func encoded() -> [UInt8] {
    JSONValue.object(
      [
        ("type", .string(type)),
        ("title", .string(title)),
        ("status", .integer(status.code)),
        ("detail", .string(detail)),
      ] + extensions
    ).encoded()
  }
}
