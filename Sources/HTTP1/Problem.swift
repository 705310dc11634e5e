/// What went wrong, for programs and people alike.
///
/// RFC 9457.
public struct Problem: Sendable {
  /// The media type to send it as. RFC 9457 §6.1.
  public static let mediaType = "application/problem+json"

  /// A URI that names the kind of problem; `about:blank` when the status says it all. RFC 9457 §4.2.1.
  public var type: String
  /// The kind of problem in a few words, always the same for one type. RFC 9457 §3.1.3.
  public var title: String
  /// The status it is sent with.
  public var status: Status
  /// This occurrence, explained: what was asked, what happened and what to do.
  public var detail: String
  /// Further members, named unlike the four above. RFC 9457 §3.2.
  public var extensions: [(name: String, value: JSONValue)]

  /// Describes a problem; with the type `about:blank` the title "SHOULD be the same as the recommended HTTP
  /// status phrase" (RFC 9457 §4.2.1), which it is if none is given.
  public init(
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
  public func encoded() -> [UInt8] {
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
