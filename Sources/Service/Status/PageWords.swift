import System

/// Quantities as the page has them.
package enum PageWords {
  /// In units of 1024: `8.7 MiB`.
  package static func size(_ byteCount: UInt64) -> String {
    var value = Double(byteCount)
    for unit in ["B", "KiB", "MiB", "GiB"] {
      if value < 1000 { return "\(short(value, isWhole: unit == "B")) \(unit)" }
      value /= 1024
    }
    return "\(short(value, isWhole: false)) TiB"
  }

  /// With a space between thousands: `9 138 176 B`. No line breaks at it.
  static func bytes(_ byteCount: UInt64) -> String {
    let digits = Array("\(byteCount)")
    var text = ""
    for (index, digit) in digits.enumerated() {
      if index > 0, (digits.count - index).isMultiple(of: 3) { text += "\u{202f}" }
      text.append(digit)
    }
    return "\(text)\u{202f}B"
  }

  /// `7 s`, `5 min`, `3 h`, `12 days`. The page's script says the same.
  package static func age(_ seconds: Int) -> String {
    switch seconds {
    case ..<60: "\(max(0, seconds)) s"
    case ..<3600: "\(seconds / 60) min"
    case ..<172_800: "\(seconds / 3600) h"
    default: "\(seconds / 86_400) days"
    }
  }

  /// `12 ms`, `3.4 s`, `2 min 5 s`, `1 h 2 min`.
  static func duration(milliseconds: Int) -> String {
    switch milliseconds {
    case ..<1000: "\(milliseconds) ms"
    case ..<60_000: "\(short(Double(milliseconds) / 1000, isWhole: false)) s"
    case ..<3_600_000: "\(milliseconds / 60_000) min \(milliseconds / 1000 % 60) s"
    default: "\(milliseconds / 3_600_000) h \(milliseconds / 60_000 % 60) min"
    }
  }

  /// To the minute: `2026-01-31 23:59 UTC`.
  static func time(_ seconds: Int) -> String {
    let text = Timestamp(seconds: Int64(seconds)).seconds
    return "\(text.prefix(10)) \(text.dropFirst(11).prefix(5)) UTC"
  }

  /// Three digits.
  private static func short(_ value: Double, isWhole: Bool) -> String {
    guard !isWhole, value < 99.95 else { return "\(Int(value.rounded()))" }
    let tenths = Int((value * 10).rounded())
    return "\(tenths / 10).\(tenths % 10)"
  }
}
