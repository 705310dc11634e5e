import SQLiteSnapshot

/// Takes the bytes of an entry, and spools them for SQLite if they begin as a database does.
struct SniffedDatabase: ~Copyable {
  private let directory: String
  private let memorySize: Int
  private var spool: DatabaseSpool?
  /// Until there is enough to know a database by.
  private var start: [UInt8]? = []

  /// - Parameter memorySize: the most of a database that is held in memory, in bytes.
  init(in directory: String, memorySize: Int = DatabaseSpool.memorySize) {
    self.directory = directory
    self.memorySize = memorySize
  }

  var isDatabase: Bool {
    switch spool {
    case .some: true
    case nil: false
    }
  }

  /// - Throws: `SQLITE_FULL`, and then the same piece can be added again; what else keeps it from being spooled.
  mutating func append(_ piece: [UInt8]) throws {
    guard let start else {
      try spool?.append(piece)
      return
    }
    let bytes = start + piece
    if bytes.starts(with: DatabaseHeader.magic) {
      spool = DatabaseSpool(in: directory, memorySize: memorySize)
      try spool?.append(bytes)
    }
    self.start = bytes.count < DatabaseHeader.magic.count ? bytes : nil
  }

  /// The database while it comes; nil while it is not clear whether it is one, or worth that.
  ///
  /// - Parameter size: of the whole entry, in bytes.
  mutating func growing(to size: UInt64) -> DatabaseContent? { spool?.growing(to: size) }

  /// Nothing more will come.
  mutating func stop() { spool = nil }

  /// Nil for what is no database.
  consuming func finished() -> DatabaseContent? { spool.take()?.finished() }
}
