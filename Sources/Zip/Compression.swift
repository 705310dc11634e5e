/// How hard a backup is compressed. Every choice is a deflate stream: `store` is deflate's level 0.
///
/// What each zlib level makes of 48 MiB of SQLite pages (telemetry rows, JSON events, blobs) in blocks of 256 KiB, on one
/// core with zlib 1.2.13, as `/usr/bin/python3 Tests/Benchmarks/levels.py` prints it:
///
/// | level, memLevel | MB/s | ratio |         | level, memLevel | MB/s | ratio |      |
/// |-----------------|------|-------|---------|-----------------|------|-------|------|
/// | 1, 8            |   70 | 1.996 |         | 5, 9            |   45 | 2.064 |      |
/// | 1, 9            |   77 | 1.997 | fast    | 6, 8            |   37 | 2.072 |      |
/// | 2, 8            |   66 | 1.996 |         | 7, 8            |   35 | 2.078 |      |
/// | 3, 8            |   60 | 2.009 |         | 8, 8            |   20 | 2.083 | best |
/// | 4, 8            |   49 | 2.044 |         | 9, 8            |   19 | 2.083 |      |
/// | 5, 8            |   46 | 2.066 | default | 9, 9            |   18 | 2.082 |      |
public enum Compression: String, Sendable, CaseIterable {
  /// Not compressed, so that the archive's length is known beforehand; see ``ZipWriter/storedLength(of:limits:)``.
  case store
  /// As fast as zlib goes.
  case fast
  /// What most want: within 1 % of the size that zlib's own default makes, in four fifths of its time.
  case `default`
  /// As small as zlib makes it.
  case best

  /// How a block is made of it.
  var method: DeflateMethod {
    switch self {
    case .store: .stored
    #if ISAL
      case .fast: .isal(level: 1)
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

/// Who makes a deflate block, and how hard it tries.
enum DeflateMethod: Sendable {
  /// Nobody: stored blocks.
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
