/// How hard a backup is compressed. Every choice is a deflate stream: `store` is deflate's level 0.
///
/// What each zlib level makes of 50 MB of SQLite pages (telemetry rows, JSON events, blobs) in blocks of
/// 256 KiB, on one core with zlib 1.2.13:
///
/// | level, memLevel | MB/s | ratio |         | level, memLevel | MB/s | ratio |        |
/// |-----------------|------|-------|---------|-----------------|------|-------|--------|
/// | 1, 8            |   93 | 2.483 |         | 5, 9            |   53 | 2.653 |        |
/// | 1, 9            |   95 | 2.511 | fast    | 6, 8            |   48 | 2.669 |        |
/// | 2, 8            |   94 | 2.502 |         | 7, 8            |   41 | 2.711 |        |
/// | 3, 8            |   80 | 2.527 |         | 8, 8            |   22 | 2.737 | best   |
/// | 4, 8            |   63 | 2.579 |         | 9, 8            |   20 | 2.739 |        |
/// | 5, 8            |   58 | 2.652 | default | 9, 9            |   19 | 2.740 |        |
public enum Compression: String, Sendable, CaseIterable {
  /// Not compressed, so that the archive's length is known beforehand; see ``ZipWriter/storedLength(of:limits:)``.
  case store
  /// As fast as zlib goes.
  case fast
  /// What most want: within 1 % of the size that zlib's own default makes, in five sixths of its time.
  case `default`
  /// As small as zlib makes it.
  case best

  /// What zlib is asked for, or `nil` for stored blocks, which need no zlib.
  var deflateParameters: DeflateParameters? {
    switch self {
    case .store: nil
    // The greater memLevel costs 128 KiB more and wins in both columns.
    case .fast: DeflateParameters(level: 1, memLevel: 9)
    // Level 6 costs a fifth more time for 0.6 % of size.
    case .default: DeflateParameters(level: 5, memLevel: 8)
    // Level 9 costs a tenth more time for 0.1 % of size.
    case .best: DeflateParameters(level: 8, memLevel: 8)
    }
  }
}

/// The two knobs of `deflateInit2` that differ between the levels.
struct DeflateParameters: Sendable {
  let level: Int32
  let memLevel: Int32
}
