import Archive
import SQLiteSnapshot
import System
import Zip

/// An archive file that was compared with its manifest and agrees with it, as far as that can be seen without its data:
/// what is restored is read through this.
struct RestorableArchive {
  let manifest: Manifest
  var entries: [BytePath: Manifest.Entry] { comparison.entries }
  let members: [BytePath: ZipMember]
  /// In the order in which their data stands.
  let paths: [BytePath]

  private let contents: ArchiveContents
  private let comparison: ManifestComparison

  /// - Throws: `notAnArchive`, `damaged`, `unreadable`, `interrupted`.
  init(path: String, isInterrupted: @escaping @Sendable () -> Bool) throws(RestoreError) {
    contents = try Self.open(path, isInterrupted)
    guard case .readable(let comparison) = contents.manifest else {
      throw .notAnArchive(
        "\(path) has no MANIFEST.json of ours, without which nothing in it can be verified: unzip it into an "
          + "empty directory, and look at it there")
    }
    self.comparison = comparison
    manifest = comparison.manifest
    members = Dictionary(contents.members.map { (BytePath($0.name), $0) }) { first, _ in first }
    paths = contents.members.map { BytePath($0.name) }
    for member in contents.members {
      let path = BytePath(member.name)
      if let difference = contents.difference(path, size: member.size) {
        throw .damaged("\(path): \(difference)")
      }
    }
    // It is not among what is put in place, and so is read nowhere else.
    if members[ArchiveContents.versionName] != nil { try read(ArchiveContents.versionName) { _ in } }
    if let difference = contents.differences(paths: Set(members.keys)).first {
      throw .damaged("\(difference)")
    }
  }

  private static func open(
    _ path: String, _ isInterrupted: @escaping @Sendable () -> Bool
  ) throws(RestoreError) -> ArchiveContents {
    do {
      let contents = try ArchiveContents(path: path, isInterrupted: isInterrupted)
      guard !contents.isPipe else {
        throw RestoreError.unreadable("\(path) is a pipe, and is read twice: save it to a file first")
      }
      return contents
    } catch let error as SystemError where error.isDirectory {
      throw .notAnArchive("\(path) is a directory, and no archive")
    } catch let error as SystemError {
      throw .unreadable("\(path): \(error)")
    } catch let error as ZipReadError where error.fault == .noArchive {
      throw .notAnArchive("\(path) is no zip")
    } catch {
      throw RestoreError(reading: error)
    }
  }

  /// Inflates one entry, hands it on piece by piece, and compares it with the manifest, which says nothing of itself.
  ///
  /// - Throws: `damaged`, `unreadable`, `interrupted`; `staging` if `body` throws a `SystemError` or a `SQLiteError`.
  func read(_ path: BytePath, _ body: ([UInt8]) throws -> Void) throws(RestoreError) {
    guard let member = members[path] else { throw .unknownPath(path) }
    do {
      var digest = EntryDigest()
      try contents.read(member) { piece in
        digest.append(piece)
        try body(piece)
      }
      guard path != ArchiveContents.manifestName else { return }
      if let difference = comparison.difference(path, digest.content(crc32: member.crc32)) {
        throw difference
      }
    } catch let error where error is SystemError || error is SQLiteError {
      throw .staging(path: path, detail: "\(error)")
    } catch let difference as EntryDifference {
      throw .damaged("\(path): \(difference)")
    } catch {
      throw RestoreError(reading: error)
    }
  }
}

extension RestoreError {
  /// - Parameter error: what reading an archive has thrown.
  fileprivate init(reading error: any Error) {
    self =
      if let error = error as? RestoreError {
        error
      } else if let error = error as? ZipReadError, case .unreadable = error.fault {
        .unreadable("\(error)")
      } else if let error = error as? ZipReadError, case .undecodable = error.fault {
        .notAnArchive("\(error): unzip it with that program into an empty directory, and look at it there")
      } else {
        .damaged("\(error)")
      }
  }
}
