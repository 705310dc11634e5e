import EventLoop
import Glibc

/// The value of `Date`, made once a second. RFC 9110 §6.6.1.
@Loop enum DateField {
  private static var made: (second: Int, text: String) = (-1, "")

  static func now() -> String {
    let second = time(nil)
    if made.second != second { made = (second, HTTPDate(unixSeconds: Int64(second)).description) }
    return made.text
  }
}
