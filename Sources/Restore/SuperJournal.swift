import System

/// What a transaction over several databases is committed by: a file that each database's rollback journal names. It is
/// deleted at the commit; as long as it is there, every one of those journals is to be rolled back.
///
/// It finds the journals by their names. If one of those databases were kept under another name, SQLite would delete the
/// super-journal once the others are rolled back, and take the kept one for committed: half a transaction.
///
/// https://www.sqlite.org/fileformat2.html §3, https://www.sqlite.org/atomiccommit.html §5
enum SuperJournal {
  private static let magic: [UInt8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7]
  /// The length of the name, its checksum, and the magic.
  private static let tailSize = 16
  /// `PATH_MAX`; SQLite itself takes names that are shorter.
  private static let maximumNameSize = 4096

  /// Looks at the journals of all databases that would be replaced.
  ///
  /// - Throws: `unsettled`; `obstacle` if a journal cannot be read.
  static func check(_ journal: RestoreJournal, in target: RestoreTarget) throws(RestoreError) {
    for item in journal.items where item.companions.contains("-journal") {
      do {
        guard let folder = try target.folder(item.folder),
          let name = try self.name(in: item.name + "-journal", folder)
        else { continue }
        guard try isThere(name, in: target, above: item.folder) else { continue }
        throw RestoreError.unsettled(path: item.path, superJournal: name.name)
      } catch let error as RestoreError {
        throw error
      } catch {
        throw .obstacle(path: item.path + "-journal", detail: "it cannot be read: \(error)")
      }
    }
  }

  /// Whether a super-journal is there: where the application looks, or in the directory. The application may know the directory,
  /// or a folder in it, by another path, as in a container. Then the name ends with the path from there on.
  ///
  /// - Parameter folder: of the database; relative.
  private static func isThere(
    _ name: BytePath, in target: RestoreTarget, above folder: BytePath
  ) throws(SystemError) -> Bool {
    if !FileSystem.isMissing(name) { return true }
    let parts = name.components
    for base in [folder] + Array(folder.ancestors) + [""] {
      for first in parts.indices {
        let path = parts[first...].reduce(base) { $0.appending($1) }
        guard path.isRelativeAndPlain else { continue }
        do throws(SystemError) {
          if try target.parent(of: path)?.status(path.name) != nil { return true }
        } catch  where error.isMissing || error.isLink {
          // What stands there is no folder.
        }
      }
    }
    return false
  }

  /// What a journal names; nil if it names none, or is not there.
  private static func name(in journal: BytePath, _ folder: Directory) throws(SystemError) -> BytePath? {
    guard let status = try folder.status(journal), status.kind == .regular, status.size > UInt64(tailSize)
    else { return nil }
    let file = try folder.openFile(journal, writing: false)
    // A journal whose head is zeros has done its work.
    guard let first = try file.read(1, at: 0).first, first != 0 else { return nil }
    let tail = try file.read(tailSize, at: status.size - UInt64(tailSize))
    guard tail.count == tailSize else { return nil }
    let count = tail.bigEndian(at: 0) as UInt32
    guard tail.suffix(8).elementsEqual(magic), count > 0, count <= maximumNameSize,
      UInt64(count) <= status.size - UInt64(tailSize)
    else { return nil }
    let name = try file.read(Int(count), at: status.size - UInt64(tailSize) - UInt64(count))
    // SQLite sums `char`, which has a sign on some machines.
    let sums = [
      name.reduce(UInt32(0)) { $0 &+ UInt32($1) },
      name.reduce(UInt32(0)) { $0 &+ UInt32(bitPattern: Int32(Int8(bitPattern: $1))) },
    ]
    return sums.contains(tail.bigEndian(at: 4)) ? BytePath(name) : nil
  }
}
