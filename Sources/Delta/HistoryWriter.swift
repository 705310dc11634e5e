import Glibc
package import System

/// Writes the history of an archive while that is made, into a file that has no name yet by which it is found.
package final class HistoryWriter {
  package let hash: UnitHash
  private let folder: Directory
  private let name: BytePath
  private let partial: BytePath
  private let file: Descriptor
  private var directory: HistoryDirectory
  /// Digests of the group that is not whole yet.
  private var group: [UInt8] = []
  private var groupCount: UInt64 = 0
  private var offset: UInt64 = 0
  /// Why there will be no history; nothing is written any more then.
  package private(set) var failure: SystemError?
  private var isEnded = false
  private var isWhole = false

  init(_ folder: Directory, _ name: BytePath, request: String, tag: String, _ hash: UnitHash)
    throws(SystemError)
  {
    self.folder = folder
    self.name = name
    self.hash = hash
    partial = name + Histories.partialSuffix
    file = try folder.makeFile(partial)
    var random = SystemRandomNumberGenerator()
    directory = HistoryDirectory(
      request: request, tag: tag, seed: hash.seed,
      salt: (0..<HistoryDirectory.saltSize).map { _ in random.next() })
    write(ArchiveHistory.magic)
  }

  /// Begins again: the archive is made once more, from its first byte.
  package func rewind() {
    guard !isEnded else { return }
    directory.removeMembers()
    group = []
    groupCount = 0
    offset = UInt64(ArchiveHistory.magic.count)
    isWhole = false
  }

  /// Begins a member.
  package func begin(_ name: String, dataOffset: UInt64, size: UInt64) {
    directory.append(name, dataOffset: dataOffset, size: size)
  }

  /// Adds the digests of the next units.
  package func add(_ digests: [UInt8]) {
    group += digests
    let whole = ArchiveHistory.groupSize * UnitHash.digestSize
    while group.count >= whole {
      writeGroup(Array(group.prefix(whole)))
      group.removeFirst(whole)
    }
  }

  private func writeGroup(_ digests: [UInt8]) {
    write(digests + ArchiveHistory.check(of: digests, groupCount, salt: directory.salt))
    groupCount += 1
  }

  /// Writes what stands behind the digests: the archive has been made.
  package func finish() {
    if !group.isEmpty { writeGroup(group) }
    group = []
    let bytes = directory.encoded
    guard bytes.count <= ArchiveHistory.maximumDirectorySize else {
      return fail(SystemError(call: "history", errno: EFBIG))
    }
    var foot: [UInt8] = []
    foot.append(littleEndian: UInt64(bytes.count))
    foot += HistoryDirectory.check(bytes, foot)
    write(bytes + foot)
    isWhole = failure == nil
  }

  private func write(_ bytes: [UInt8]) {
    guard failure == nil, !isEnded else { return }
    do throws(SystemError) {
      try file.write(bytes, at: offset)
      offset += UInt64(bytes.count)
    } catch {
      fail(error)
    }
  }

  private func fail(_ error: SystemError) {
    failure = failure ?? error
    discard()
  }

  /// Gives it its name, if it is whole: the client has the archive. It need not be on the disk by then, since a torn file is found
  /// out.
  ///
  /// - Returns: whether it has it now.
  func publish() -> Bool {
    guard isWhole, !isEnded else { return false }
    do throws(SystemError) {
      try folder.rename(partial, to: folder, name)
      isEnded = true
      return true
    } catch {
      fail(error)
      return false
    }
  }

  /// Removes it.
  package func discard() {
    guard !isEnded else { return }
    isEnded = true
    try? folder.remove(partial)
  }
}
