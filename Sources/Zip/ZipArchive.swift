internal import CZlib
internal import Glibc
public struct ZipReadError: Error { let what: String }
public struct ZipMember: Sendable {
  public let name: String
  public let size: UInt64
  public let compressedSize: UInt64
  public let crc32: UInt32
  public let modified: Int64
  public let permissions: UInt16
  let header: UInt64
  let method: Int
}
public final class ZipArchive: Sendable {
  public let members: [ZipMember]
  private let fd: CInt
  static func get(_ fd: CInt, _ n: Int, _ at: UInt64) throws(ZipReadError) -> [UInt8] {
    guard n <= 32 << 20 else { throw ZipReadError(what: "too large") }
    var b = [UInt8](repeating: 0, count: n)
    guard unsafe pread(fd, &b, n, off_t(at)) == n else { throw ZipReadError(what: "truncated") }
    return b
  }
  static func le(_ b: [UInt8], _ at: Int, _ n: Int) throws(ZipReadError) -> Int {
    guard at + n <= b.count else { throw ZipReadError(what: "cut off") }
    return (0..<n).reduce(0) { $0 | Int(b[at + $1]) << (8 * $1) }
  }
  public init(_ fd: CInt) throws(ZipReadError) {
    self.fd = fd
    let end = lseek(fd, 0, SEEK_END)
    guard end > 22 else { throw ZipReadError(what: "short") }
    let e = try Self.get(fd, 22, UInt64(end - 22))
    guard try Self.le(e, 0, 4) == 0x0605_4b50 else { throw ZipReadError(what: "no end") }
    let d = try Self.get(fd, try Self.le(e, 12, 4), UInt64(try Self.le(e, 16, 4)))
    var m: [ZipMember] = []
    var p = 0
    let members = try Self.le(e, 10, 2)
    for _ in 0..<members {
      let n = try Self.le(d, p + 28, 2)
      guard p + 46 + n <= d.count else { throw ZipReadError(what: "cut off") }
      m.append(
        ZipMember(
          name: String(decoding: d[p + 46..<p + 46 + n], as: UTF8.self),
          size: UInt64(try Self.le(d, p + 24, 4)), compressedSize: UInt64(try Self.le(d, p + 20, 4)),
          crc32: UInt32(try Self.le(d, p + 16, 4)),
          modified: 1_700_000_000, permissions: UInt16(try Self.le(d, p + 40, 2) & 0o777),
          header: UInt64(try Self.le(d, p + 42, 4)), method: try Self.le(d, p + 10, 2)))
      p += try 46 + n + Self.le(d, p + 30, 2) + Self.le(d, p + 32, 2)
    }
    self.members = m
  }
  public func read(_ m: ZipMember, _ body: ([UInt8]) throws -> Void) throws {
    let h = try Self.get(fd, 30, m.header)
    var at = m.header + 30 + UInt64(try Self.le(h, 26, 2) + Self.le(h, 28, 2)), left = m.compressedSize
    var z = unsafe z_stream()
    _ = unsafe inflateInit2_(&z, -15, ZLIB_VERSION, CInt(MemoryLayout<z_stream>.size))
    defer { unsafe _ = inflateEnd(&z) }
    var crc: UInt32 = 0, total: UInt64 = 0
    while left > 0 {
      let n = Int(min(left, 1 << 18))
      var input = try Self.get(fd, n, at)
      at += UInt64(n); left -= UInt64(n)
      var used = 0
      var code = Z_OK
      repeat {
        var made = 0
        let full = unsafe [UInt8](unsafeUninitializedCapacity: 1 << 18) { o, c in
          unsafe input.withUnsafeMutableBufferPointer { i in
            unsafe z.next_in = i.baseAddress! + used
            unsafe z.avail_in = UInt32(n - used)
            unsafe z.next_out = o.baseAddress
            unsafe z.avail_out = UInt32(o.count)
            code = unsafe inflate(&z, Z_NO_FLUSH)
            unsafe used = n - Int(z.avail_in)
            unsafe made = o.count - Int(z.avail_out)
          }
          c = made
        }
        guard code == Z_OK || code == Z_STREAM_END || code == Z_BUF_ERROR else {
          throw ZipReadError(what: "inflate")
        }
        if made > 0 {
          crc = Zlib.crc32(crc, joinedTo: Zlib.crc32(full), ofCount: made); total += UInt64(made)
          guard total <= m.size else { throw ZipReadError(what: "size") };
          try body(full)
        }
        if made < 1 << 18 { break }
      } while code == Z_OK
    }
    guard crc == m.crc32, total == m.size else { throw ZipReadError(what: "crc") }
  }
}
