import Pull
import System

/// Runs an engine's further commands, which get no archive.
struct Engine {
  let work: PullWork
  let isInterrupted: () -> Bool

  /// Runs a command to its end.
  ///
  /// - Returns: the lines of its standard output.
  /// - Throws: a `Failure` with a line of its standard error.
  @discardableResult
  func run(_ command: [String], _ variables: ProgramVariables) throws -> [String] {
    let output = try work.makeFile("engine-output")
    let error = try work.makeFile("engine-error")
    let nothing = try FileSystem.openFile("/dev/null")
    let end: ChildProcess.End
    do throws(SystemError) {
      end = try ChildProcess.run(
        command[0], Array(command.dropFirst()),
        ChildProcess.Streams(input: nothing.rawValue, output: output.rawValue, error: error.rawValue),
        variables: variables.include, isInterrupted: isInterrupted)
    } catch {
      throw Failure(description: "\(command[0]) cannot be run: \(error)")
    }
    if isInterrupted() { throw PullInterruption() }
    guard end.isSuccess else {
      let said = BackupStore.fault(of: command[0], in: work.lines(of: "engine-error"))
      throw Failure(description: "\(command[0]): \(said ?? "\(end)")")
    }
    return work.lines(of: "engine-output")
  }
}
