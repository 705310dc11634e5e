import SQLiteSnapshot

/// Takes the bytes of an entry, and spools them for SQLite if they begin as a database does.
struct SniffedDatabase: ~Copyable {
  private let directory: String
  private var spool: DatabaseSpool?
  /// Until there is enough to know a database by.
  private var start: [UInt8]? = []

  init(in directory: String) { self.directory = directory }

  var isDatabase: Bool {
    switch spool {
    case .some: true
    case nil: false
    }
  }

  mutating func append(_ piece: [UInt8]) throws {
    guard let start else {
      try spool?.append(piece)
      return
    }
    let bytes = start + piece
    self.start = bytes.count < DatabaseHeader.magic.count ? bytes : nil
    guard bytes.starts(with: DatabaseHeader.magic) else { return }
    spool = DatabaseSpool(in: directory)
    try spool?.append(bytes)
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
