import Glibc
import Pull
import Restore
import Service
import System

/// The backups of one series where they are kept, and each of them as a file that can be read.
struct BackupSource {
  let store: BackupStore
  /// As the command line has it, without a password.
  let shown: String
  let series: String
  /// For what a program writes: a file there has no name, and is gone with this process.
  let spoolDirectory: String
  let isInterrupted: @Sendable () -> Bool

  /// A backup that can be opened by its path, again and again, while this lives.
  struct Readable: ~Copyable {
    let path: String
    /// Nil for a file that is there anyway.
    private let file: Descriptor?

    init(path: String) {
      self.path = path
      file = nil
    }

    init(_ file: consuming Descriptor) {
      path = "/proc/self/fd/\(file.rawValue)"
      self.file = consume file
    }
  }

  /// Why a program did not do what it was asked for.
  struct EngineFailure: Error, CustomStringConvertible {
    let description: String
  }

  /// All of the series, the newest first by the time in their names.
  ///
  /// - Throws: a `Failure` that says why there is no list.
  func backups() throws -> [BackupStore.Backup] {
    let found: [BackupStore.Backup]
    if case .directory(let path) = store {
      do throws(SystemError) {
        var files: [(name: String, size: UInt64)] = []
        for name in try BackupSeries.names(in: BytePath(path)) {
          guard let text = name.string, let status = try? FileSystem.status(BytePath(path).appending(name)),
            status.kind == .regular
          else { continue }
          files.append((text, status.size))
        }
        found = BackupStore.backups(files, of: series)
      } catch { throw Failure(description: "--from \(shown): \(error)") }
    } else {
      do {
        let list = Readable(try run(store.listArguments))
        guard let text = try? SmallFile.read(list.path, atMost: BackupStore.maximumListSize),
          let backups = store.backups(in: text, of: series)
        else { throw EngineFailure(description: "\(store.program ?? ""): its list cannot be read") }
        found = backups
      } catch let error as EngineFailure {
        throw Failure(description: "--from \(shown): \(error)")
      }
    }
    return found.sorted { left, right in
      left.name.time == right.name.time ? right.file < left.file : right.name.time < left.name.time
    }
  }

  /// Lets a backup be read: where it is, or from a private file that the program has written it to. A program that fails is
  /// run once more: another process may have been moving what it read.
  ///
  /// - Throws: `EngineFailure`; a `Failure` if no file can be made, or it has no room.
  func open(_ backup: BackupStore.Backup) throws -> Readable {
    if case .directory(let path) = store { return Readable(path: "\(path)/\(backup.file)") }
    do { return Readable(try run(store.readArguments(backup))) } catch is EngineFailure {
      return Readable(try run(store.readArguments(backup)))
    }
  }

  /// Runs the program, and returns the file that has its output.
  private func run(_ arguments: [String]) throws -> Descriptor {
    guard let program = store.program else { preconditionFailure("a directory needs no program") }
    let output = try unnamedFile()
    let error = try unnamedFile()
    let end: ChildProcess.End
    do throws(SystemError) {
      end = try ChildProcess.run(
        program, arguments, ChildProcess.Streams(output: output.rawValue, error: error.rawValue),
        variables: store.variables.include, isInterrupted: isInterrupted)
    } catch {
      throw EngineFailure(description: "\(program) cannot be run: \(error); install \(program)")
    }
    if isInterrupted() { throw Failure(description: "interrupted: nothing was changed") }
    guard end.isSuccess else {
      if FileSystemSpace(of: BytePath(spoolDirectory))?.isFull == true {
        throw Failure(description: "--spool-directory \(spoolDirectory): it has no room for the archive")
      }
      throw EngineFailure(description: "\(program): \(fault(in: Readable(error)) ?? "\(end)")")
    }
    return output
  }

  /// The line that tells what is wrong, without a password that it may repeat.
  private func fault(in text: consuming Readable) -> String? {
    let bytes = (try? SmallFile.read(text.path, atMost: 1 << 20)) ?? []
    let lines = bytes.split(separator: UInt8(ascii: "\n")).map { String(decoding: $0, as: UTF8.self) }
    return BackupStore.fault(of: store.program ?? "", in: lines).map(PlaceName.withoutPassword)
  }

  private func unnamedFile() throws -> Descriptor {
    do throws(SystemError) {
      let folder = try FileSystem.makeTemporaryFolder(in: BytePath(spoolDirectory), prefix: "sluice-")
      defer { FileSystem.removeDirectory(folder) }
      let path = folder.appending("archive")
      let file = try FileSystem.makeFile(path)
      try FileSystem.remove(path)
      return file
    } catch {
      throw Failure(description: "--spool-directory \(spoolDirectory): \(error)")
    }
  }
}
