import EventLoop

extension SocketAddress {
  /// Where a service listens, as `serve --listen` and `health` take it: `HOST:PORT`, `[IPV6]:PORT`, `unix:PATH`, or a URL
  /// `http://HOST:PORT/` without a path, whose port is 80 if it has none.
  package init?(service text: String) {
    let scheme = "http://".utf8
    guard text.utf8.starts(with: scheme) else {
      self.init(text)
      return
    }
    var authority = Array(text.utf8.dropFirst(scheme.count))
    if authority.last == UInt8(ascii: "/") { authority.removeLast() }
    let host = authority.last == UInt8(ascii: "]") || !authority.contains(UInt8(ascii: ":"))
    let address = String(decoding: authority, as: UTF8.self)
    guard !address.utf8.starts(with: "unix:".utf8) else { return nil }
    self.init(host ? address + ":80" : address)
  }
}
