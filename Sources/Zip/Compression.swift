/// How hard a backup is compressed. Every choice is a deflate stream: `store` is deflate's level 0.
///
/// What each level makes of 48 MiB of SQLite pages (telemetry rows, JSON events, blobs) in blocks of 256 KiB, on one core
/// with zlib 1.2.13 and ISA-L 2.30, as `/usr/bin/python3 Tests/Benchmarks/levels.py` prints it:
///
/// | zlib level, memLevel | MB/s | ratio |         | zlib level, memLevel | MB/s | ratio |      |
/// |----------------------|------|-------|---------|----------------------|------|-------|------|
/// | 1, 8                 |   58 | 1.974 |         | 6, 8                 |   32 | 2.050 |      |
/// | 1, 9                 |   71 | 1.976 | fast    | 7, 8                 |   26 | 2.055 |      |
/// | 2, 8                 |   62 | 1.973 |         | 8, 8                 |   15 | 2.059 | best |
/// | 3, 8                 |   56 | 1.985 |         | 9, 8                 |   12 | 2.060 |      |
/// | 4, 8                 |   42 | 2.021 |         | 5, 9                 |   39 | 2.040 |      |
/// | 5, 8                 |   37 | 2.043 | default | 9, 9                 |   12 | 2.058 |      |
///
/// | ISA-L level | MB/s | ratio |         |
/// |-------------|------|-------|---------|
/// | 1           |  461 | 1.963 | fast    |
/// | 2           |  399 | 1.974 | default |
/// | 3           |  203 | 1.994 |         |
package enum Compression: String, Sendable, CaseIterable {
  /// Not compressed, so that the archive's length is known beforehand; see ``ZipWriter/storedLength(of:limits:)``.
  case store
  /// As fast as the engine goes.
  case fast
  /// What most want: near the size that zlib's own default makes (with zlib within 1 %, with ISA-L within 5 %), in less
  /// time.
  case `default`
  /// As small as zlib makes it.
  case best

  /// To which multiple, in bytes, the data of each member begins in an archive; nil if it begins anywhere.
  ///
  /// What is not compressed is compared with the last archive, and in file systems and programs that find repeated blocks those
  /// have 4096 bytes. Without it, one byte more in a member would shift all that follows.
  package var alignment: UInt16? { self == .store ? 4096 : nil }

  /// How a block is made of it.
  var method: DeflateMethod {
    switch self {
    case .store: .stored
    #if ISAL
      case .fast: .isal(level: 1)
      // Level 3 costs twice the time for 1 % of size.
      case .default: .isal(level: 2)
    #else
      // The greater memLevel costs 128 KiB more and wins in both columns, though it does not for level 5.
      case .fast: .zlib(DeflateParameters(level: 1, memLevel: 9))
      // Level 6 costs a quarter more time for 0.3 % of size.
      case .default: .zlib(DeflateParameters(level: 5, memLevel: 8))
    #endif
    // Level 9 costs more time for nothing.
    case .best: .zlib(DeflateParameters(level: 8, memLevel: 8))
    }
  }
}

/// What makes a deflate block, and how hard it tries.
enum DeflateMethod: Sendable {
  /// Not compressed: stored blocks.
  case stored
  case zlib(DeflateParameters)
  #if ISAL
    /// 1 to 3.
    case isal(level: UInt32)
  #endif
}

/// The two knobs of `deflateInit2` that differ between the levels.
struct DeflateParameters: Sendable {
  let level: Int32
  let memLevel: Int32
}
