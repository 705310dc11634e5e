/// A set of octets: one bit for each ASCII octet, one for all that lie above ASCII.
///
/// Looking one octet up is a shift and a mask, so a run is scanned without a branch per class.
struct OctetSet: Sendable {
  private var low: UInt64 = 0
  private var high: UInt64 = 0
  private let holdsObsText: Bool

  private init(_ octets: some Sequence<UInt8>, obsText: Bool = false) {
    holdsObsText = obsText
    for octet in octets {
      precondition(octet < 0x80, "an OctetSet names ASCII octets one by one, the others only together")
      if octet < 64 { low |= 1 << UInt64(octet) } else { high |= 1 << UInt64(octet - 64) }
    }
  }

  @inline(__always)
  func contains(_ octet: UInt8) -> Bool {
    guard octet < 0x80 else { return holdsObsText }
    return ((octet < 64 ? low : high) >> UInt64(octet & 63)) & 1 == 1
  }

  /// The index of the first octet at or after `start` that is not in this set, or `end`.
  func endOfRun(in bytes: Span<UInt8>, from start: Int, to end: Int) -> Int {
    var index = start
    while index < end, contains(bytes[index]) { index += 1 }
    return index
  }

  /// Whether every octet is in this set.
  func containsAll(of bytes: Span<UInt8>) -> Bool {
    endOfRun(in: bytes, from: 0, to: bytes.count) == bytes.count
  }

  private static let alphanumerics =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

  /// `tchar`: RFC 9110 §5.6.2.
  static let token = OctetSet((alphanumerics + "!#$%&'*+-.^_`|~").utf8)

  /// What may stand in a field value: `VCHAR`, `obs-text`, SP and HTAB. RFC 9110 §5.5.
  static let fieldValue = OctetSet(Array(0x20...0x7E) + [.tab], obsText: true)

  /// `fieldValue` without `obs-text`: what a sender should keep to. RFC 9110 §5.5.
  static let asciiFieldValue = OctetSet(Array(0x20...0x7E) + [.tab])

  /// `unreserved`: RFC 3986 §2.3.
  static let unreserved = OctetSet((alphanumerics + "-._~").utf8)

  /// `attr-char`: RFC 8187 §3.2.1.
  static let attributeCharacter = OctetSet((alphanumerics + "!#$&+-.^_`|~").utf8)

  /// Every octet of a request target in any of its four forms: RFC 3986 §2, without "#", which no
  /// request target has (RFC 9112 §3.2).
  static let requestTarget = OctetSet((alphanumerics + "-._~" + "!$&'()*+,;=" + ":/?@[]" + "%").utf8)

  /// `pchar` and "/": RFC 3986 §3.3.
  static let path = OctetSet((alphanumerics + "-._~" + "!$&'()*+,;=" + ":@" + "/" + "%").utf8)

  /// `pchar`, "/" and "?": RFC 3986 §3.4.
  static let query = OctetSet((alphanumerics + "-._~" + "!$&'()*+,;=" + ":@" + "/?" + "%").utf8)

  /// `reg-name`: RFC 3986 §3.2.2.
  static let registeredName = OctetSet((alphanumerics + "-._~" + "!$&'()*+,;=" + "%").utf8)

  /// `DIGIT`: RFC 5234 appendix B.1.
  static let digit = OctetSet("0123456789".utf8)

  /// `HEXDIG`, in both cases: RFC 3986 §2.1.
  static let hexDigit = OctetSet("0123456789ABCDEFabcdef".utf8)
}
