import Glibc

/// This machine's name. The corresponding C function is `uname`.
package func hostName() -> String {
  var name = utsname()
  guard unsafe uname(&name) == 0 else { return "" }
  return unsafe withUnsafeBytes(of: &name.nodename) { bytes in
    unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
  }
}
