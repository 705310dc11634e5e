/// A name for one state of what an answer stands for.
///
/// RFC 9110 §8.8.3.
package struct EntityTag: Sendable, Hashable {
  /// What stands between the quotes.
  package let opaque: String
  /// Whether it may name several that differ in their bytes.
  package let isWeak: Bool

  /// A tag to send; one that holds anything but printable ASCII, or a quote, is a bug and traps.
  package init(strong opaque: String) {
    precondition(opaque.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "\"") }, "no tag")
    self.opaque = opaque
    isWeak = false
  }

  fileprivate init(_ opaque: String, isWeak: Bool) {
    self.opaque = opaque
    self.isWeak = isWeak
  }

  /// As it is sent.
  package var text: String { "\(isWeak ? "W/" : "")\"\(opaque)\"" }
}

/// What `If-Match`, `If-None-Match` and `If-Range` name: RFC 9110 §13.1.1, §13.1.2 and §13.1.5. The last may be a date
/// instead, of which it is for the caller to find that it is no tag.
package enum EntityTags: Sendable, Hashable {
  /// `*`: whichever there is.
  case any
  case list([EntityTag])

  /// The tags of a field; nil if the request has none of this name.
  ///
  /// - Throws: `HTTPError` 400 for what is neither `*` nor a list of entity tags.
  package init?(_ name: String, of request: RequestHead) throws(HTTPError) {
    let values = request.values(name)
    guard !values.isEmpty else { return nil }
    if values == ["*"] {
      self = .any
    } else if let tags = Self.tags(values.joined(separator: ",")) {
      self = .list(tags)
    } else {
      throw HTTPError(.badRequest, "\(name) is to be * or a list of entity tags, each in double quotes.")
    }
  }

  /// Whether a tag is among those named, byte for byte: the strong comparison of RFC 9110 §8.8.3.2.
  package func names(_ tag: EntityTag) -> Bool {
    guard case .list(let tags) = self else { return true }
    return !tag.isWeak && tags.contains(tag)
  }

  /// `#entity-tag`: RFC 9110 §5.6.1 and §8.8.3. A comma may stand within a tag.
  private static func tags(_ list: String) -> [EntityTag]? {
    var tags: [EntityTag] = []
    var rest = Array(list.utf8)[...]
    while true {
      rest = rest.drop { $0.isOptionalWhitespace || $0 == UInt8(ascii: ",") }
      guard !rest.isEmpty else { return tags.isEmpty ? nil : tags }
      // "W/" is the one of two spellings that is right: §8.8.3, case-sensitive.
      let isWeak = rest.starts(with: "W/".utf8)
      if isWeak { rest = rest.dropFirst(2) }
      guard rest.first == UInt8(ascii: "\"") else { return nil }
      rest = rest.dropFirst()
      // etagc = %x21 / %x23-7E / obs-text
      let opaque = rest.prefix { $0 > 0x20 && $0 != UInt8(ascii: "\"") && $0 != 0x7F }
      rest = rest.dropFirst(opaque.count)
      guard rest.first == UInt8(ascii: "\"") else { return nil }
      rest = rest.dropFirst().drop { $0.isOptionalWhitespace }
      guard rest.isEmpty || rest.first == UInt8(ascii: ",") else { return nil }
      tags.append(EntityTag(String(decoding: opaque, as: UTF8.self), isWeak: isWeak))
    }
  }
}
