import SQLiteSnapshot
import System

/// A file of a restore that is staged: it is checked and synced on threads of their own, beside the staging of the next.
struct StagedFile: ~Copyable {
  /// A file that is synced; why it could not be.
  typealias Syncing = AbandonableThread.Running<SystemError?>

  /// Relative to the directory.
  let path: BytePath
  /// The check of it, if it is a database.
  var check: BoundedCheck.Begun?
  private var syncing: Syncing?

  /// Begins to check it.
  ///
  /// - Parameter database: where it is staged, if it is one.
  init(
    _ path: BytePath, _ syncing: consuming Syncing?, checking database: BytePath?, _ check: BoundedCheck
  ) throws(RestoreError) {
    self.path = path
    self.syncing = syncing
    self.check = nil
    if let database { self.check = try check.begin(.path(database), of: path) }
  }

  /// Begins to make a file last.
  ///
  /// - Throws: `SystemError` if there is no thread to be had.
  static func sync(_ file: consuming Descriptor) throws(SystemError) -> Syncing {
    let number = file.release()
    do throws(SystemError) {
      return try AbandonableThread.start(named: "sync") {
        do throws(SystemError) { try Descriptor(owning: number).sync() } catch { return error }
        return nil
      }
    } catch {
      SystemCalls.close(number)
      throw error
    }
  }

  /// Waits until its bytes are safe.
  mutating func waitForSync() throws(RestoreError) {
    // It is waited for to its end, so that there is a result.
    guard let syncing = syncing.take(), let error = syncing.result() ?? nil else { return }
    throw .staging(path: path, detail: "\(error)")
  }
}
