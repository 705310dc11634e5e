import CSQLite

@testable import SQLiteSnapshot

/// A file of SQLite's VFS that holds what a test says and fails when it says so.
final class FakeFile {
  var contents: [UInt8] = []
  /// What reading answers, whatever there is.
  var failure: Int32?
  /// What the shared memory holds at each look at it; the last of them for good.
  var looks: [[UInt32]] = []
  private(set) var lookCount = 0
  var sharedMemoryCode = SQLITE_OK

  private struct Head {
    /// First, as in every VFS's own structure: SQLite knows no more of it.
    var base: sqlite3_file
    var owner: Unmanaged<FakeFile>
  }

  private let head = UnsafeMutablePointer<Head>.allocate(capacity: 1)
  private let methods = UnsafeMutablePointer<sqlite3_io_methods>.allocate(capacity: 1)
  private let region = UnsafeMutablePointer<UInt32>.allocate(capacity: 8192)

  init() {
    region.initialize(repeating: 0, count: 8192)
    var table = sqlite3_io_methods()
    table.iVersion = 3
    table.xRead = { file, buffer, count, offset in
      FakeFile.of(file).read(into: buffer, Int(count), at: Int(offset))
    }
    table.xFileSize = { file, size in
      let fake = FakeFile.of(file)
      size?.pointee = Int64(fake.contents.count)
      return fake.failure ?? SQLITE_OK
    }
    table.xShmMap = { file, page, size, _, pointer in
      let fake = FakeFile.of(file)
      precondition(page == 0 && size == 32768, "walformat.html §2: in units of 32 KiB")
      fake.look()
      pointer?.pointee = UnsafeMutableRawPointer(fake.region)
      return fake.sharedMemoryCode
    }
    methods.initialize(to: table)
    head.initialize(to: Head(base: sqlite3_file(pMethods: methods), owner: .passUnretained(self)))
  }

  deinit {
    head.deallocate()
    methods.deallocate()
    region.deallocate()
  }

  /// Good for as long as the fake is.
  var vfsFile: VFSFile {
    VFSFile(UnsafeMutableRawPointer(head).assumingMemoryBound(to: sqlite3_file.self), methods)
  }

  private static func of(_ file: UnsafeMutablePointer<sqlite3_file>?) -> FakeFile {
    guard let file = file else { preconditionFailure("no file") }
    let head = UnsafeMutableRawPointer(file).assumingMemoryBound(to: Head.self)
    return head.pointee.owner.takeUnretainedValue()
  }

  /// `xRead`: what lies past the end is zeros, and `SQLITE_IOERR_SHORT_READ` says so.
  private func read(into buffer: UnsafeMutableRawPointer?, _ count: Int, at offset: Int) -> Int32 {
    if let failure { return failure }
    for index in 0..<count {
      let byte = offset + index < contents.count ? contents[offset + index] : 0
      buffer?.storeBytes(of: byte, toByteOffset: index, as: UInt8.self)
    }
    return offset + count <= contents.count ? SQLITE_OK : SQLITE_IOERR | 2 << 8
  }

  private func look() {
    for (index, word) in (looks.isEmpty ? [] : looks[min(lookCount, looks.count - 1)]).enumerated() {
      region[index] = word
    }
    lookCount += 1
  }
}
