import CSQLite

/// Where the pages of a snapshot are, and how they are read: from a copy; or from a database file, and over it from the WAL.
struct SnapshotPages {
  /// In bytes: a power of two from 512 to 65536.
  let pageSize: Int
  /// 0 for an empty file, which is a database too.
  let pageCount: UInt32
  private let source: Source
  private let walFile: VFSFile?
  /// What of the WAL lies over the database file; nil if the file alone is the snapshot.
  private let overlay: WriteAheadLog?
  private enum Source {
    case file(VFSFile)
    case copy(CopiedBytes)
  }

  /// What stands at the beginning in the place of the file's own bytes; nil for those.
  private let header: DatabaseHeader?
  /// The database file is never shorter than this, unless it is cut.
  private let fileSizeNeeded: UInt64

  init(
    in file: VFSFile, pageSize: Int, pageCount: UInt32, header: DatabaseHeader? = nil,
    under wal: VFSFile? = nil,
    _ overlay: WriteAheadLog? = nil
  ) {
    source = .file(file)
    self.pageSize = pageSize
    self.pageCount = pageCount
    self.header = header
    walFile = wal
    self.overlay = overlay
    fileSizeNeeded = Self.fileSizeNeeded(
      pageCount: pageCount, pageSize: pageSize, overlay?.frames ?? [])
  }

  /// - Parameter copy: of all pages.
  init(_ copy: CopiedBytes, pageSize: Int, pageCount: UInt32) {
    source = .copy(copy)
    self.pageSize = pageSize
    self.pageCount = pageCount
    (walFile, overlay, header) = (nil, nil, nil)
    fileSizeNeeded = copy.byteCount
  }

  /// In bytes.
  var size: UInt64 { UInt64(pageCount) * UInt64(pageSize) }

  /// The header as a reader of the snapshot gets it; nil for an empty database.
  func databaseHeader() throws(SQLiteError) -> DatabaseHeader? {
    if let header { return header }
    return pageCount > 0 ? DatabaseHeader(try read(pageSize, at: 0)) : nil
  }

  /// The `count` bytes from `offset` on; both are multiples of the page size, as every power of two from
  /// 64 KiB on is, save at the end.
  ///
  /// - Throws: what reading the files says; `SQLITE_CORRUPT` if the database file was cut short, `unseen-writer` if the WAL
  ///   was.
  func read(_ count: Int, at offset: UInt64) throws(SQLiteError) -> [UInt8] {
    // The end of the file may lie before the end of the database: the rest is in the WAL.
    let count = UInt64(count)
    let inFile = min(count, fileSizeNeeded > offset ? fileSizeNeeded - offset : 0)
    var bytes = try readSource(Int(inFile), at: offset)
    bytes += repeatElement(0, count: Int(count - inFile))
    if offset == 0, let header, bytes.count >= DatabaseHeader.size {
      bytes.replaceSubrange(0..<DatabaseHeader.size, with: header.bytes)
    }
    try overlayWALPages(on: &bytes, at: offset)
    clearLockPage(in: &bytes, at: offset)
    return bytes
  }

  private func readSource(_ count: Int, at offset: UInt64) throws(SQLiteError) -> [UInt8] {
    switch source {
    case .copy(let copy): return try copy.read(count, at: offset)
    case .file(let file):
      let (bytes, isWhole) = try file.read(count, at: offset)
      guard isWhole else {
        try checkFileSize()
        throw SQLiteError(
          code: SQLiteError.shortRead, message: "the database file could be read in part only")
      }
      return bytes
    }
  }

  /// - Throws: `SQLITE_CORRUPT` if the database file lacks pages that the WAL does not hold.
  func checkFileSize() throws(SQLiteError) {
    guard case .file(let file) = source else { return }
    guard try file.size() >= fileSizeNeeded else {
      throw SQLiteError(code: SQLITE_CORRUPT, message: "the database file is shorter than its own page count")
    }
  }

  /// The end of the last page that only the database file has; the lock page is nowhere.
  private static func fileSizeNeeded(
    pageCount: UInt32, pageSize: Int, _ frames: [WriteAheadLog.PageFrame]
  ) -> UInt64 {
    var last = UInt64(pageCount)
    var frames = frames[...]
    while last > 0 {
      if let frame = frames.last, frame.page >= last {
        frames.removeLast()
        if frame.page == last { last -= 1 }
      } else if last == lockByte / UInt64(pageSize) + 1 {
        last -= 1
      } else {
        break
      }
    }
    return last * UInt64(pageSize)
  }

  /// Reads the pages that the WAL holds over those of the database file.
  ///
  /// - Throws: `unseen-writer` if the WAL is not the scanned one any more, which no writer that meets the pin can do.
  private func overlayWALPages(on bytes: inout [UInt8], at offset: UInt64) throws(SQLiteError) {
    guard let overlay, let walFile else { return }
    let size = UInt64(pageSize)
    let first = offset / size + 1
    let frames = overlay.frames(ofPages: first..<first + UInt64(bytes.count) / size)
    guard !frames.isEmpty else { return }
    var isWhole = true
    for frame in frames {
      let start = Int(frame.page - first) * pageSize
      let place = WriteAheadLog.offset(ofFrame: frame.frame, pageSize: pageSize)
      let isThere = try walFile.read(
        into: &bytes, start..<start + pageSize, at: place + UInt64(WALFrameHeader.size))
      if !isThere { isWhole = false }
    }
    guard isWhole, try WALHeader(of: walFile) == overlay.header else {
      throw SQLiteError.unseenWriter("its WAL was reset or cut short")
    }
  }

  /// The page with this byte, where SQLite's locks are, is never used: fileformat2.html §1.4.
  private static let lockByte: UInt64 = 1 << 30

  private func clearLockPage(in bytes: inout [UInt8], at offset: UInt64) {
    guard offset <= Self.lockByte, Self.lockByte < offset + UInt64(bytes.count) else { return }
    let start = Int(Self.lockByte - offset) / pageSize * pageSize
    for index in start..<start + pageSize { bytes[index] = 0 }
  }
}
