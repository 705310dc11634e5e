import Archive
import Delta
import Glibc
import Service
import System

extension Serve {
  /// What is known before the loop runs: reading it blocks.
  struct Settings {
    let descriptorLimit: Int
    let options: ArchiveOptions
    let resources: ArchiveResources
    let tokenSource: TokenSource
    let tokens: Tokens?
    /// Why no digests are kept that are to be.
    let historyFailure: SystemError?
    /// If the directory cannot be read, the backup reports it.
    let hasDatabase: Bool
  }

  /// A dozen are taken before the first connection, and half of the others are for the files of backups.
  private static let fewestDescriptors = 64

  /// - Parameter descriptorLimit: how many descriptors this process may have.
  /// - Throws: why the service cannot start; passed sockets have clients that wait then.
  func readSettings(_ descriptorLimit: Int) throws -> Settings {
    guard descriptorLimit >= Self.fewestDescriptors else {
      throw Failure(
        description: "this process may have \(descriptorLimit) files open, and serving takes "
          + "\(Self.fewestDescriptors): raise the limit (LimitNOFILE= in a unit, ulimit -n in a shell)")
    }
    let options = try archive.options()
    var resources = try archive.resources()
    let source = TokenSource(file: tokenFile)
    let tokens = try source.read()
    if let stateDirectory, unsafe access(stateDirectory, W_OK | X_OK) != 0 {
      throw Failure(
        description: "--state-directory \(stateDirectory): \(SystemError(call: "access", errno: errno))")
    }
    let historyFailure = prepareHistories(&resources)
    return Settings(
      descriptorLimit: descriptorLimit, options: options, resources: resources, tokenSource: source,
      tokens: tokens, historyFailure: historyFailure, hasDatabase: (try? options.findsDatabase()) ?? true)
  }

  /// Opens the place of the histories, if there is a state directory.
  ///
  /// - Returns: why that failed, if it did: every archive is sent whole then.
  private func prepareHistories(_ resources: inout ArchiveResources) -> SystemError? {
    guard let directory = stateDirectory ?? Self.passedStateDirectory else { return nil }
    guard deltaHistory > 0 else {
      Histories.remove(from: directory)
      return nil
    }
    let histories = Histories(in: directory, count: deltaHistory, budget: deltaBudget.value)
    do throws(SystemError) {
      try histories.prepare()
      resources.histories = histories
      return nil
    } catch {
      return error
    }
  }

  /// systemd.exec(5), `StateDirectory=`: the first of those that the unit has.
  static var passedStateDirectory: String? {
    guard let value = unsafe getenv("STATE_DIRECTORY") else { return nil }
    let first = unsafe String(cString: value).utf8.split(separator: UInt8(ascii: ":")).first
    return first.map { String(decoding: $0, as: UTF8.self) }
  }
}
